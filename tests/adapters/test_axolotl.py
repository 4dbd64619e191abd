"""What can be said of the adapter of axolotl without axolotl: what it declares, and what it hands over."""

from __future__ import annotations

import pytest

pytest.importorskip("transformers", reason="the adapter needs a tokenizer")

from maskspec.adapters.axolotl import AxolotlMasker, masker, sharegpt
from maskspec.conformance import Request, Unsupported
from maskspec.policy import Policy, Verdict

ROW = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]


def request(messages: list[dict[str, object]], **more: object) -> Request:
    class Fast:
        is_fast = True

    return Request(messages=messages, template="", tokenizer=Fast(), policy=masker.policy, **more)  # type: ignore[arg-type]


def test_the_declared_policy_is_the_principle_with_nothing_behind_the_stop() -> None:
    assert masker.policy == Policy(tail=Verdict.IGNORE)
    assert sharegpt.policy == Policy(tail=Verdict.IGNORE, flags=False)


@pytest.mark.parametrize("stop", ["turn", "last", "none", "all"])
def test_other_stops_are_options_of_axolotl(stop: str) -> None:
    other = masker.with_policy(masker.policy.changed(stop=stop, roles={"user"}))
    assert other._data_set("")["train_on_eos"] == stop
    assert other._data_set("")["roles_to_train"] == ["user"]


@pytest.mark.parametrize("changes", [{"turns": "last"}, {"opening": "train"}, {"scaffold": "ignore"}, {"flags": False}])
def test_what_axolotl_has_no_option_for_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(Unsupported, match="options for roles and for stops"):
        masker.with_policy(masker.policy.changed(**changes))


def test_sharegpt_rows_name_the_roles_of_the_data() -> None:
    assert sharegpt._row(request(ROW)) == {
        "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Yo"}]
    }
    assert sharegpt._data_set("")["roles_to_train"] == ["gpt"]


def test_sharegpt_rows_hold_text_alone() -> None:
    with pytest.raises(Unsupported, match="no tools"):
        sharegpt._row(request(ROW, tools=[{"type": "function"}]))
    with pytest.raises(Unsupported, match="no tool_calls"):
        sharegpt._row(request([{"role": "assistant", "content": None, "tool_calls": [{}]}]))
    with pytest.raises(Unsupported, match="no role 'tool'"):
        sharegpt._row(request([{"role": "tool", "content": "4"}]))


def test_flags_get_the_names_of_the_configuration_and_both_ends_of_a_detail_are_inside() -> None:
    messages = [
        {"role": "user", "content": "Hi", "weight": 0.0},
        {"role": "assistant", "content": "Hi there", "train": True, "spans": [{"start": 3, "end": 8}]},
    ]
    assert AxolotlMasker(sharegpt=True)._row(request(messages)) == {
        "conversations": [
            {"from": "human", "value": "Hi", "train": False},
            {
                "from": "gpt",
                "value": "Hi there",
                "train": True,
                "train_detail": [{"begin_offset": 3, "end_offset": 7, "train": True}],
            },
        ]
    }


def test_an_object_that_is_no_tokenizer_of_transformers_is_refused() -> None:
    with pytest.raises(Unsupported, match="not one of transformers"):
        sharegpt.mask(request(ROW))
