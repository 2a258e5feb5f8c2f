# SPDX-License-Identifier: GPL-3.0-or-later
"""Job types as they become properties; frames; expressions."""

from __future__ import annotations

from typing import Any

import pytest

from flamenco import evaluation, frame_range, job_types
from flamenco.evaluation import EvaluationError
from flamenco.flamenco_client.models import AvailableJobType


def job_type(*settings: dict[str, Any], **other: Any) -> job_types.JobType:
    value = {"name": "test-type", "label": "Test", "etag": "1", "settings": list(settings), **other}
    return job_types.read(AvailableJobType.from_json(value))


def setting(**fields: Any) -> tuple[job_types.Setting, tuple[str, ...]]:
    found = job_type({"key": "thing", "type": "string", **fields})
    return found.settings[0], found.warnings


@pytest.mark.parametrize(
    ("fields", "want"),
    [
        ({"default": "x"}, "x"),
        ({}, ""),
        ({"type": "int32"}, 0),
        ({"type": "int32", "default": 3}, 3),
        ({"type": "int32", "default": 3.0}, 3),
        ({"type": "float", "default": 1}, 1.0),
        ({"type": "bool", "default": True}, True),
        ({"type": "bool", "default": "false"}, False),
        ({"type": "bool", "default": "yes"}, True),
        ({"choices": ["a", "b"], "default": "b"}, "b"),
        ({"choices": ["a", "b"]}, "a"),
    ],
)
def test_defaults(fields: dict[str, Any], want: Any) -> None:
    found, warnings = setting(**fields)
    assert found.default == want
    assert type(found.default) is type(want)
    assert warnings == ()


@pytest.mark.parametrize(
    ("fields", "want", "warning"),
    [
        ({"type": "int32", "default": "many"}, 0, "'many' is not a number"),
        ({"type": "int32", "default": 1.5}, 0, "not a whole number"),
        ({"type": "int32", "default": 2**40}, 0, "too large"),
        ({"type": "int32", "default": "inf"}, 0, "'inf' is not a finite number"),
        ({"type": "int32", "default": 1e999}, 0, "inf is not a finite number"),
        ({"type": "int32", "default": "nan"}, 0, "not a finite number"),
        ({"type": "int32", "default": 10**400}, 0, "… is too large"),
        ({"type": "int32", "default": 10**5000}, 0, "a number with thousands of digits is too large"),
        ({"type": "float", "default": "-inf"}, 0.0, "not a finite number"),
        ({"type": "float", "default": 10**400}, 0.0, "… is too large"),
        ({"type": "int32", "propargs": {"max": 1e999}}, 0, "max in propargs is ignored"),
        ({"type": "string", "default": 10**5000}, "", "thousands of digits"),
        ({"type": "bool", "default": "perhaps"}, False, "neither true nor false"),
        ({"choices": ["a", "b"], "default": "c"}, "a", "not among the choices"),
        ({"type": "int32", "choices": ["1"], "default": 1}, 1, "only settings of type string"),
        ({"type": "int32", "propargs": {"colour": "red"}}, 0, "propargs has 'colour'"),
        ({"type": "int32", "propargs": {"min": "low"}}, 0, "min in propargs is ignored"),
        ({"type": "int32", "propargs": {"min": 5, "max": 1}}, 0, "min is above max"),
    ],
)
def test_what_makes_no_sense_is_named_and_left_out(fields: dict[str, Any], want: Any, warning: str) -> None:
    found, warnings = setting(**fields)
    assert found.default == want
    assert len(warnings) == 1
    assert warning in warnings[0]
    assert warnings[0].startswith("thing: ")


def test_one_broken_setting_leaves_the_others() -> None:
    found = job_type({"key": "a", "type": "matrix"}, {"key": "b", "type": "string"}, {"key": "b", "type": "bool"})
    assert [(one.key, one.type) for one in found.settings] == [("b", "string")]
    assert len(found.warnings) == 2


@pytest.mark.parametrize("kind", ["int32", "float"])
@pytest.mark.parametrize("value", [float("inf"), float("nan"), 10**400, "1e999"])
def test_an_expression_that_gives_infinity_is_a_mistake(kind: str, value: Any) -> None:
    """The panel and the submission show what is wrong with it; anything else would break the drawing."""
    found, _ = setting(type=kind)
    with pytest.raises(ValueError, match=r"not a finite number|too large"):
        found.convert(value)


@pytest.mark.parametrize("kind", ["string", "int32", "float", "bool"])
@pytest.mark.parametrize(
    ("subtype", "want"),
    [
        ("file_path", "FILE_PATH"),
        ("dir_path", "DIR_PATH"),
        ("file_name", "FILE_NAME"),
        ("hashed_file_path", "FILE_PATH"),
        ("next_years_subtype", ""),
    ],
)
def test_subtypes(kind: str, subtype: str, want: str) -> None:
    found, _ = setting(type=kind, subtype=subtype)
    assert found.subtype == (want if kind == "string" else "")


@pytest.mark.parametrize(
    ("visible", "want"),
    [(None, True), ("visible", True), ("submission", True), ("web", False), ("hidden", False)],
)
def test_visibility(visible: str | None, want: bool) -> None:
    assert setting(**({"visible": visible} if visible else {}))[0].is_visible is want


def test_labels_and_switches() -> None:
    found, _ = setting(key="add_path_components")
    assert (found.label, found.is_editable, found.is_required) == ("Add Path Components", True, False)
    found, _ = setting(label="My Label", editable=False, required=True)
    assert (found.label, found.is_editable, found.is_required) == ("My Label", False, True)
    linked = {"eval": "1", "evalInfo": {"showLinkButton": True, "description": "one"}}
    assert setting(**linked)[0].can_link
    assert not setting(**linked, editable=False)[0].can_link
    assert not setting(evalInfo=linked["evalInfo"])[0].can_link


@pytest.mark.parametrize(
    "key", ["name", "rna_type", "items", "for", "two words", "ünlaut", "_x", "autoeval_frames", "x" * 80]
)
def test_keys_that_blender_cannot_have_are_stored_under_another_name(key: str) -> None:
    found = job_type({"key": key, "type": "string"}).settings[0]
    assert found.key == key
    assert found.attribute.startswith("setting_")
    assert found.attribute.isidentifier() and found.attribute.isascii() and len(found.attribute) < 50


def test_plain_keys_stay() -> None:
    found = job_type({"key": "frames", "type": "string"}).settings[0]
    assert (found.attribute, found.link_attribute) == ("frames", "autoeval_frames")


def test_two_names_give_two_identifiers() -> None:
    names = ["a-b", "aB", "a_b", "A-b", "ä", "x" * 90]
    found = {job_type(name=name).identifier for name in names}
    assert len(found) == len(names)
    assert all(one.isidentifier() and len(one) <= 40 for one in ("x" + name for name in found))
    assert job_type(name="a-b").identifier == job_type(name="a-b", etag="2").identifier


def test_changes_are_told() -> None:
    old = job_type({"key": "a", "type": "string"}, {"key": "b", "type": "int32"})
    new = job_type({"key": "b", "type": "int32", "default": 4}, {"key": "c", "type": "bool"}, etag="2")
    assert job_types.changes(old, new) == ["new setting: C", "removed setting: A", "changed setting: B (default)"]
    assert job_types.changes(old, job_type({"key": "a", "type": "string"}, {"key": "b", "type": "int32"})) == []
    assert old.fingerprint != new.fingerprint


@pytest.mark.parametrize(
    ("text", "size", "want"),
    [
        ("1..10,20..25,40,3..8", 4, "17 frames in 5 tasks"),
        ("1-10,20-25,40", 4, "17 frames in 5 tasks"),
        (" 1 - 10 ,\t20..25,\n40 ", 4, "17 frames in 5 tasks"),
        ("47", 4, "1 frame in 1 task"),
        ("1-3", 3, "3 frames in 1 task"),
        ("10-1, 5", 1, "1 frame in 1 task"),
        ("0-12,34-56,78-90", 20, "49 frames in 3 tasks"),
        ("1-1000000000", 1, "1000000000 frames in 1000000000 tasks"),
    ],
)
def test_frames_are_counted_like_the_manager_does(text: str, size: int, want: str) -> None:
    assert frame_range.frame_summary(text, size) == want


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  ", "'' is not a frame"),
        (" 1 10", "'1 10' is not a frame"),
        ("1,,2", "'' is not a frame"),
        ("-5", "'-5' is not a frame"),
        ("1-100x2", "'1-100x2' is not a frame"),
        ("10-1", "counts backwards"),
        ("٣", "is not a frame"),
    ],
)
def test_what_is_no_range_of_frames(text: str, message: str) -> None:
    with pytest.raises(frame_range.RangeError, match=message):
        frame_range.count_frames(text)


def test_a_task_has_at_least_one_frame() -> None:
    with pytest.raises(frame_range.RangeError, match="1 or more"):
        frame_range.count_tasks("1-3", 0)


@pytest.mark.parametrize(
    ("expression", "want"),
    [
        ("x + 1", 3),
        ("(lambda: x)()", 2),
        ("[x * n for n in range(3)]", [0, 2, 4]),
        ("sum(x for _ in range(2))", 4),
        ("(y := x) + y", 4),
    ],
)
def test_expressions_see_their_names_everywhere(expression: str, want: Any) -> None:
    assert evaluation.evaluate("key", expression, {"x": 2}) == want


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("unknown", "NameError: name 'unknown' is not defined"),
        ("(", "SyntaxError"),
        ("int('x')", "invalid literal for int()"),
        ("(lambda f: f(f))(lambda f: f(f))", "it depends on itself"),
    ],
)
def test_an_expression_that_fails_says_why(expression: str, reason: str) -> None:
    with pytest.raises(EvaluationError) as raised:
        evaluation.evaluate("speed", expression, {})
    assert raised.value.key == "speed"
    assert reason in raised.value.reason
    assert "'speed'" in str(raised.value)
