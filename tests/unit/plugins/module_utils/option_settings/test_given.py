# SPDX-License-Identifier: GPL-3.0-or-later
"""Option settings in both of Elastic Beanstalk's forms, what is refused, and what is hidden of them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkRefusedError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.option_settings.given import doubts, parse
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.option_settings.hiding import (
    hide_values,
    secret_values,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.option_settings.keys import Key
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.option_settings.values import text_value

ASG = "aws:autoscaling:asg"
ACTION = "aws:autoscaling:scheduledaction"
PROPERTIES = "aws:elasticbeanstalk:application:environment"
SECRETS = "aws:elasticbeanstalk:application:environmentsecrets"
DATABASE = "aws:rds:dbinstance"


def entry(namespace: str, option: str, value: Any, **more: Any) -> dict[str, Any]:
    return {"namespace": namespace, "option_name": option, "value": value, **more}


def test_both_forms_say_the_same() -> None:
    nested = {ASG: {"MinSize": 2, "Cooldown": None}, PROPERTIES: {"DEBUG": True}}
    listed = [entry(ASG, "MinSize", "2"), entry(ASG, "Cooldown", None), entry(PROPERTIES, "DEBUG", "true")]
    assert (
        parse(nested)
        == parse(listed)
        == parse('{"aws:autoscaling:asg": {"MinSize": 2, "Cooldown": null}}') | {Key(PROPERTIES, "DEBUG"): "true"}
    )
    assert parse(None) == parse({}) == parse([]) == parse("") == {}


def test_names_that_the_service_gives_tell_nothing() -> None:
    given = [entry(ASG, "MinSize", 1, resource_name="AWSEBAutoScalingGroup")]
    assert (
        parse(given)
        == parse({"AWSEBAutoScalingGroup.aws:autoscaling:asg": {"MinSize": 1}})
        == {Key(ASG, "MinSize"): "1"}
    )


def test_two_actions_are_two() -> None:
    given = [entry(ACTION, "MinSize", number, resource_name=name) for name, number in (("Up", 3), ("Down", 1))]
    assert parse(given) == {Key(ACTION, "MinSize", "Up"): "3", Key(ACTION, "MinSize", "Down"): "1"}
    assert parse({f"Up.{ACTION}": {"MinSize": 3}}) == {Key(ACTION, "MinSize", "Up"): "3"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (1.5, "1.5"),
        ("", ""),
        (["a", 2, True], "a,2,true"),
        ({"a": 1}, '{"a":1}'),
    ],
)
def test_yaml_values_as_texts(value: Any, text: str) -> None:
    assert text_value(value) == text


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (7, "are neither a dictionary of namespaces nor a list of entries"),
        ("{nonsense", "are a text that is no JSON."),
        ({ASG: "MinSize=2"}, "are not a dictionary"),
        ({ASG: {"MinSize": {"value": 2}}}, "is a dictionary, not a plain value"),
        (["MinSize"], "Entry 1 of the option settings is not a dictionary"),
        ([entry(ASG, "MinSize", 1, resource="Up")], "Entry 1 of the option settings has resource: it takes namespace"),
        ([{"option_name": "MinSize", "value": 1}], "Entry 1 of the option settings has no namespace."),
        ([{"namespace": ASG, "value": 1}], "Entry 1 of the option settings has no option_name."),
        ([{"namespace": ASG, "option_name": "MinSize"}], r"\(MinSize\) has no value; null removes an option."),
        ([entry(ASG, "MinSize", 1), entry(ASG, "MinSize", 2)], "give aws:autoscaling:asg:MinSize twice"),
        ({ACTION: {"MinSize": 1}}, "is of no action: give option settings as a list"),
        ([entry(ACTION, "MinSize", 1)], "with the name of the scheduled action as resource_name."),
        ([entry(ASG, "MinSize", 1, resource_name="Mine")], "only scheduled actions have names of their own"),
        ({"aws:cloudformation:template:parameter": {"InstancePort": 80}}, "is Elastic Beanstalk's own; leave it out."),
        (
            {"aws:elasticbeanstalk:healthreporting:system": {"ConfigDocument": "{Version: 1}"}},
            "The value of the option ConfigDocument in .* is no JSON",
        ),
        ({PROPERTIES: {"KEY": "x"}, SECRETS: {"KEY": "arn"}}, "KEY is given both as an environment property and as"),
        ({PROPERTIES: {f"KEY_{number}": "x" * 250 for number in range(20)}}, "have 5130 bytes together"),
    ],
)
def test_refusals(given: Any, message: str) -> None:
    with pytest.raises(AnsibleBeanstalkRefusedError, match=message):
        parse(given)


def test_a_long_value_is_a_doubt_and_not_shown() -> None:
    settings = parse({PROPERTIES: {"LONG": "x" * 300, "SHORT": "y"}})
    assert doubts(settings) == [
        "The environment property LONG is longer than Elastic Beanstalk's console takes (name 128, value 256 "
        "characters)."
    ]


@pytest.mark.parametrize("form", ["nested", "listed"])
def test_values_are_hidden_in_both_forms(form: str) -> None:
    given: Any = {
        PROPERTIES: {"DJANGO_SECRET_KEY": "long-enough", "PIN_KEY": "12", "HOST": "example.com"},
        DATABASE: {"DBPassword": "not-a-secret", "DBUser": "shop"},
    }
    if form == "listed":
        given = [entry(space, option, value) for space, options in given.items() for option, value in options.items()]
    assert secret_values(given) == {"long-enough", "not-a-secret"}
    assert hide_values(given) == {
        PROPERTIES: dict.fromkeys(("DJANGO_SECRET_KEY", "PIN_KEY", "HOST"), "(hidden)"),
        DATABASE: {"DBPassword": "(hidden)", "DBUser": "shop"},
    }


def test_what_cannot_be_read_is_hidden_as_a_whole() -> None:
    assert hide_values([{"value": "a-secret"}]) == "(hidden)"
