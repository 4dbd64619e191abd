"""What a survey looks like as text, Markdown, JSON Lines and in the summary, and that every line is as its schema says."""

from __future__ import annotations

import hashlib
import html
import json
from pathlib import Path
from typing import Any

import pytest

from maskspec.findings import FindingKind
from maskspec.findings.reports import FORMATS, as_html, as_jsonl, as_markdown, as_summary, as_text, write_findings
from tests.findings.factory import ANSWER, BLANK, KINDS, QUESTION, REWRITTEN, TOOLS, large, survey, template, two


def test_one_template_is_told_in_full() -> None:
    assert as_text(survey(template("shop:first", REWRITTEN, TOOLS)), width=80) == (
        "shop:first\n"
        "  shop 1.0; 85 conversations asked, 3 refused; 2 findings\n"
        "\n"
        "history-last-turn  the last turn is written otherwise\n"
        "  the first 2 of 3 messages are rendered otherwise: template text inside an\n"
        "  earlier turn is another (34 conversations)\n"
        "  smallest conversation:\n"
        '    {"role": "user", "content": "Q"}\n'
        '    {"role": "assistant", "content": "A"}\n'
        "    -------- so far the beginning\n"
        '    {"role": "user", "content": "P"}\n'
        "  the beginning alone: …<|user|>Q⟦<|last|>A⟧\n"
        "  the whole: …<|user|>Q⟦A<|user|>P⟧…\n"
        "  What to do: Print every turn alike; else train one sample per turn, since\n"
        "    earlier turns were generated otherwise.\n"
        "\n"
        "tools-dropped  tool schemas are not printed\n"
        "  tool schemas are given, and nothing of them is printed (7 conversations)\n"
        "  smallest conversation:\n"
        '    {"role": "user", "content": "Q"}\n'
        '    {"role": "assistant", "content": "A"}\n'
        "    tools: get_weather\n"
        '    template variables: {"enable_thinking": false}\n'
        "  What to do: Do not train tool use with this template, or put the schemas into\n"
        "    the system message.\n"
        "\n"
        "2 findings about 1 template; 85 conversations asked, 3 of them refused; 20\n"
        "generated conversations per template, seed 0.\n"
    )


def test_many_templates_are_counted() -> None:
    many = survey(*(template(f"shop:{number}", BLANK) for number in range(29)), template("shop:most", BLANK, TOOLS))
    lines = as_text(survey(*many.templates, kinds=tuple(FindingKind)), width=80).splitlines()
    assert lines[:6] == [
        "Findings by kind",
        "  templates  kind                 what it is",
        "             stop",
        "         30    blank-after-stop   white space after the stop",
        "             content",
        "          1    tools-dropped      tool schemas are not printed",
    ]
    start = lines.index("Templates by number of findings")
    assert lines[start + 1 : start + 3] == [
        "    2  shop:most: blank-after-stop, tools-dropped",
        "    1  shop:0: blank-after-stop",
    ]
    assert lines[start + 26].startswith("       and 5 further templates; name one of them")
    assert max(map(len, lines)) <= 80


def test_few_kinds_name_the_templates_concerned() -> None:
    many = survey(*(template(f"shop:{number}", BLANK) for number in range(4)), kinds=(FindingKind.BLANK_AFTER_STOP,))
    text = as_text(many, width=80)
    assert "blank-after-stop: The template prints white space after the stop of an answer" in text
    assert [line for line in text.splitlines() if line.startswith("  shop:")] == [
        f"  shop:{number}  (\\n)" for number in range(4)
    ]


def test_what_is_missing_is_said() -> None:
    text = as_text(survey(template("shop:first"), missing=("trl is not installed",)))
    assert "Not asked: trl is not installed\n" in text
    assert "Not asked: trl is not installed" in as_markdown(survey(missing=("trl is not installed",)))


def test_markdown_keeps_texts_out_of_its_markup() -> None:
    text = as_markdown(two())
    assert "| stop | `blank-after-stop` | 2 | 100.0 % |" in text
    assert "`stop-missing`" not in text
    assert "<summary>shop&#58;first (2 findings)</summary>" in text
    assert "the beginning alone: …<|user|>Q⟦<|last|>A⟧" in text.split("```")[1]


def test_json_lines_tell_everything_and_prove_it() -> None:
    text = as_jsonl(two())
    records = [json.loads(line) for line in text.splitlines()]
    assert [record["record"] for record in records] == [
        "header", "kind", "kind", "kind", "kind", "template", "finding", "finding", "template", "finding", "finding", "footer",
    ]  # fmt: skip
    assert [(record["kind"], record["templates"]) for record in records[1:5]] == [
        ("history-last-turn", 1), ("stop-missing", 0), ("blank-after-stop", 2), ("tools-dropped", 1),
    ]  # fmt: skip
    assert records[6]["conversation"] == {"messages": [QUESTION, ANSWER, {"role": "user", "content": "P"}]}
    assert (records[6]["template"], records[6]["beginning"], records[6]["message"]) == ("shop:first", 2, None)
    assert records[7]["excerpts"] == [{"label": "rendering", "before": "…A<|end|>", "marked": "\n", "after": ""}]
    body, _, _ = text.rstrip("\n").rpartition("\n")
    assert records[-1]["sha256"] == hashlib.sha256(f"{body}\n".encode()).hexdigest()
    assert records[-1]["records"] == {"header": 1, "kind": 4, "template": 2, "finding": 4}


def validator() -> Any:
    jsonschema = pytest.importorskip("jsonschema", reason="schemas are validated with the jsonschema package")
    referencing = pytest.importorskip("referencing", reason="jsonschema brings it")
    from maskspec.conformance.reports import SCHEMAS, load_schema

    resources = [referencing.Resource.from_contents(dict(load_schema(item))) for item in SCHEMAS]
    registry = referencing.Registry().with_resources([(item.id(), item) for item in resources])
    return jsonschema.Draft202012Validator(load_schema("findings"), registry=registry)


def test_every_record_is_as_the_schema_says() -> None:
    checked = validator()
    seen = set()
    for line in as_jsonl(two()).splitlines():
        record = json.loads(line)
        assert [error.message for error in checked.iter_errors(record)] == [], record["record"]
        seen.add(record["record"])
        assert not checked.is_valid({**record, "surprise": 1})
        for name in record:
            if name not in ("beginning",):
                assert not checked.is_valid({key: value for key, value in record.items() if key != name}), name
    assert seen == {"header", "kind", "template", "finding", "footer"}


def test_every_kind_fits_the_schema() -> None:
    checked = validator()
    records = [json.loads(line) for line in as_jsonl(survey(kinds=tuple(FindingKind))).splitlines()]
    assert [record["kind"] for record in records if record["record"] == "kind"] == [kind.value for kind in FindingKind]
    assert [error.message for record in records for error in checked.iter_errors(record)] == []


def test_the_summary_counts_by_collection_and_names_templates() -> None:
    text = as_summary(two(), command="the command")
    assert "Written by `the command`\n(jinja2 3.1.6; seed 0, 20 generated conversations per template)." in text
    lines = text.splitlines()
    assert "| family | kind | shop | all | what it says |" in lines
    assert "| | templates | 2 | 2 | |" in lines
    assert any(
        line.startswith("| stop | `blank-after-stop` | 2 | 2 | The template prints white space") for line in lines
    )
    assert any(line.startswith("| stop | `stop-missing` | 0 | 0 |") for line in lines)
    assert lines[-2:] == [
        "| `shop:first` | 85 | 3 | history-last-turn blank-after-stop |",
        "| `shop:second` | 85 | 0 | blank-after-stop tools-dropped |",
    ]
    assert text.endswith("|\n")


def test_the_page_holds_texts_as_data_only() -> None:
    name = "</script><script>alert(1)</script>"
    page = as_html(survey(template(name, BLANK)))
    assert "<script>alert" not in page
    assert page.count("<script") == 2
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    assert data["templates"][0]["name"] == name
    assert data["kinds"][2] == {
        "name": "blank-after-stop",
        "family": "stop",
        "title": "white space after the stop",
        "meaning": "The template prints white space after the stop of an answer; nobody generates it.",
        "remedy": "Whether it is trained makes no difference to the model's answers; frameworks differ here.",
        "templates": 1,
    }
    assert len(data["cases"]) == 1
    assert "default-src 'none'" in html.unescape(page)


def test_the_page_stores_what_findings_share_once() -> None:
    assert len(as_html(large(860, 20))) < 2_000_000


def test_all_formats_are_written(tmp_path: Path) -> None:
    paths = write_findings(two(), tmp_path / "new" / "folder")
    assert [path.name for path in paths] == ["findings.txt", "findings.md", "findings.jsonl", "findings.html"]
    for path, (_, write) in zip(paths, FORMATS.values(), strict=True):
        assert path.read_text("utf-8") == write(two())


def test_counts_and_templates_of_a_survey() -> None:
    found = two()
    assert list(found.counts.items()) == list(zip(KINDS, (1, 0, 2, 1), strict=True))
    assert [each.template for each in found.concerned(FindingKind.TOOLS_DROPPED)] == ["shop:second"]
    assert found.findings == 4
