"""The lesson can be learnt: the last word of a question decides the answer, everything else is chance."""

from __future__ import annotations

from maskspec.training.lessons import ANSWERS, NOISE, lessons


def test_the_last_word_decides_the_answer() -> None:
    for lesson in lessons(40, seed=3):
        for question, answer in zip(lesson.messages[::2], lesson.messages[1::2], strict=True):
            *noise, asked = question["content"].split(" ")
            assert question["role"] == "user"
            assert answer == {"role": "assistant", "content": ANSWERS[asked]}
            assert 2 <= len(noise) <= 5
            assert set(noise) <= set(NOISE)


def test_every_answer_and_every_word_of_chance_occurs() -> None:
    words = [
        word
        for lesson in lessons(60, seed=0)
        for message in lesson.messages[::2]
        for word in message["content"].split()
    ]
    assert set(words) == {*NOISE, *ANSWERS}
    assert not set(NOISE) & set(ANSWERS)


def test_the_same_seed_gives_the_same_lessons_and_another_seed_others() -> None:
    assert lessons(5, seed=7) == lessons(5, seed=7)
    assert lessons(5, seed=7) != lessons(5, seed=8)
    assert lessons(5, seed=7) == lessons(9, seed=7)[:5]


def test_the_numbers_of_rounds_take_turns() -> None:
    assert [lesson.rounds for lesson in lessons(5, seed=0, rounds=(1, 3))] == [1, 3, 1, 3, 1]


def test_a_question_comes_with_what_was_said_before_it() -> None:
    lesson = lessons(1, seed=0, rounds=(2,))[0]
    assert lesson.before(0) == [dict(lesson.messages[0])]
    assert lesson.before(1) == [dict(message) for message in lesson.messages[:3]]


def test_answers_differ_in_length_so_that_a_model_has_to_know_when_to_stop() -> None:
    assert {len(answer.split()) for answer in ANSWERS.values()} == {1, 2, 3}
