# SPDX-License-Identifier: GPL-3.0-or-later
"""Stacks with Elastic Beanstalk's resources: made, changed and deleted for real, and rolled back when that fails."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from control_plane import PROFILE, SINGLE, STACK, Localstalk, bundle, option

from localstalk.cloudformation import kinds

KINDS = {
    "Application": kinds.APPLICATION,
    "ApplicationVersion": kinds.VERSION,
    "ConfigurationTemplate": kinds.TEMPLATE,
    "Environment": kinds.ENVIRONMENT,
}
COLOUR = ("aws:elasticbeanstalk:application:environment", "COLOUR")


def template(**changes: Any) -> dict[str, Any]:
    """An application with a version, a saved configuration and an environment; ``changes`` are the environment's."""
    return {
        "Parameters": {"Key": {"Type": "String"}, "Colour": {"Type": "String", "Default": "blue"}},
        "Resources": {
            "Env": {
                "Type": "AWS::ElasticBeanstalk::Environment",
                "Properties": {
                    "ApplicationName": {"Ref": "App"},
                    "TemplateName": {"Ref": "Saved"},
                    "VersionLabel": {"Ref": "Version"},
                    "OptionSettings": [option(*COLOUR, "x") | {"Value": {"Ref": "Colour"}}],
                    "Tags": [{"Key": "team", "Value": "shop"}],
                }
                | changes,
            },
            "Saved": {
                "Type": "AWS::ElasticBeanstalk::ConfigurationTemplate",
                "Properties": {
                    "ApplicationName": {"Ref": "App"},
                    "SolutionStackName": STACK,
                    "OptionSettings": [PROFILE, SINGLE, option("aws:elasticbeanstalk:command", "Timeout", "900")],
                },
            },
            "Version": {
                "Type": "AWS::ElasticBeanstalk::ApplicationVersion",
                "Properties": {
                    "ApplicationName": {"Ref": "App"},
                    "SourceBundle": {
                        "S3Bucket": {"Fn::Sub": "elasticbeanstalk-${AWS::Region}-${AWS::AccountId}"},
                        "S3Key": {"Ref": "Key"},
                    },
                },
            },
            "App": {"Type": "AWS::ElasticBeanstalk::Application", "Properties": {"Description": "A shop"}},
            "Address": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Name": "url", "Type": "String", "Value": {"Fn::GetAtt": ["Env", "EndpointURL"]}},
            },
        },
        "Outputs": {
            "Name": {"Value": {"Ref": "Env"}},
            "URL": {"Value": {"Fn::Sub": "http://${Env.EndpointURL}/"}, "Export": {"Name": "shop-url"}},
            "Label": {"Value": {"Ref": "Version"}},
            "Application": {"Value": {"Ref": "App"}},
            "Saved": {"Value": {"Fn::GetAtt": ["Saved", "TemplateName"]}},
        },
    }


class Shop:
    """A stack called shop."""

    def __init__(self, localstalk: Localstalk) -> None:
        self.localstalk = localstalk
        self.api = localstalk.client("cloudformation")
        for key in ("one.zip", "two.zip"):
            localstalk.region.storage.write(localstalk.region.bucket, key, bundle())

    def create(self, body: dict[str, Any] | None = None, **more: Any) -> None:
        parameters = [{"ParameterKey": "Key", "ParameterValue": "one.zip"}]
        given = {"TemplateBody": json.dumps(body or template()), "Parameters": parameters}
        self.api.create_stack(StackName="shop", **given | more)

    def update(self, body: dict[str, Any] | None = None, key: str = "one.zip", **more: str) -> None:
        values = {"Key": key} | more
        parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]
        self.api.update_stack(StackName="shop", TemplateBody=json.dumps(body or template()), Parameters=parameters)

    @property
    def stack(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api.describe_stacks(StackName="shop")["Stacks"][0]
        return found

    @property
    def status(self) -> str:
        return str(self.stack["StackStatus"])

    def outputs(self) -> dict[str, str]:
        return {each["OutputKey"]: each["OutputValue"] for each in self.stack.get("Outputs", ())}

    def events(self, stack: str = "shop") -> list[tuple[str, str]]:
        """Logical id and state of events, oldest first."""
        found = self.api.describe_stack_events(StackName=stack)["StackEvents"]
        return [(each["LogicalResourceId"], each["ResourceStatus"]) for each in reversed(found)]

    def reasons(self, status: str, stack: str = "shop") -> list[str]:
        found = self.api.describe_stack_events(StackName=stack)["StackEvents"]
        return [each.get("ResourceStatusReason", "") for each in found if each["ResourceStatus"] == status]

    def address(self) -> str:
        """What the resource that needs the environment was told."""
        return str(self.localstalk.client("ssm").get_parameter(Name="url")["Parameter"]["Value"])

    def settings(self) -> dict[tuple[str, str], str]:
        outputs = self.outputs()
        (found,) = self.localstalk.eb.describe_configuration_settings(
            ApplicationName=outputs["Application"], EnvironmentName=outputs["Name"]
        )["ConfigurationSettings"]
        return {(each["Namespace"], each["OptionName"]): each.get("Value", "") for each in found["OptionSettings"]}


@pytest.fixture
def shop(localstalk: Localstalk) -> Shop:
    return Shop(localstalk)


@pytest.fixture
def made(shop: Shop) -> Shop:
    shop.create()
    shop.localstalk.advance(600)
    assert shop.status == "CREATE_COMPLETE", shop.events()
    return shop


@pytest.mark.parametrize("name", KINDS)
def test_properties_are_those_of_the_specification(name: str) -> None:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", f"AWS::ElasticBeanstalk::{name}").schema
    read_only = {path.removeprefix("/properties/") for path in schema.get("readOnlyProperties", ())}
    kind = KINDS[name]
    assert kind.properties == schema["properties"].keys() - read_only
    assert kind.attributes == read_only
    assert kind.required == set(schema.get("required", ()))
    assert kind.replacing == {path.removeprefix("/properties/") for path in schema["createOnlyProperties"]}


def test_a_stack_is_in_progress_until_its_environment_is_ready(shop: Shop) -> None:
    shop.create()
    shop.localstalk.advance(30)
    assert shop.status == "CREATE_IN_PROGRESS"
    assert shop.outputs() == {}
    assert shop.api.list_exports()["Exports"] == []
    (environment,) = shop.localstalk.eb.describe_environments()["Environments"]
    assert environment["Status"] == "Launching"
    # What needs the environment waits for it.
    assert ("Address", "CREATE_IN_PROGRESS") not in shop.events()
    shop.localstalk.advance(600)
    assert shop.status == "CREATE_COMPLETE", shop.reasons("CREATE_FAILED")
    assert shop.events() == [
        ("shop", "CREATE_IN_PROGRESS"),
        *(
            (name, status)
            for name in ("App", "Saved", "Version", "Env", "Address")
            for status in ("CREATE_IN_PROGRESS", "CREATE_COMPLETE")
        ),
        ("shop", "CREATE_COMPLETE"),
    ]


def test_everything_is_made(made: Shop) -> None:
    outputs, eb = made.outputs(), made.localstalk.eb
    (environment,) = eb.describe_environments()["Environments"]
    assert environment["EnvironmentName"] == outputs["Name"]
    assert len(outputs["Name"]) <= 40
    assert outputs["URL"] == f"http://{environment['EndpointURL']}/"
    assert environment["VersionLabel"] == outputs["Label"]
    assert environment["Health"] == "Green"
    (application,) = eb.describe_applications()["Applications"]
    assert (application["ApplicationName"], application["Description"]) == (outputs["Application"], "A shop")
    assert application["ConfigurationTemplates"] == [outputs["Saved"]]
    assert made.settings()[COLOUR] == "blue"
    assert made.settings()[("aws:elasticbeanstalk:command", "Timeout")] == "900"
    tags = eb.list_tags_for_resource(ResourceArn=environment["EnvironmentArn"])["ResourceTags"]
    assert {"Key": "team", "Value": "shop"} in tags
    assert made.address() == environment["EndpointURL"]
    (export,) = made.api.list_exports()["Exports"]
    assert (export["Name"], export["Value"]) == ("shop-url", outputs["URL"])
    listed = made.api.describe_stack_resources(StackName="shop")["StackResources"]
    physical = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in listed}
    assert physical["Env"] == outputs["Name"]


def test_tags_of_the_stack_are_tags_of_the_environment(shop: Shop) -> None:
    shop.create(Tags=[{"Key": "cost", "Value": "7"}, {"Key": "team", "Value": "other"}])
    shop.localstalk.advance(600)
    (environment,) = shop.localstalk.eb.describe_environments()["Environments"]
    found = shop.localstalk.eb.list_tags_for_resource(ResourceArn=environment["EnvironmentArn"])["ResourceTags"]
    tags = {each["Key"]: each["Value"] for each in found}
    assert (tags["cost"], tags["team"]) == ("7", "shop")


def test_another_bundle_is_another_version_and_is_deployed(made: Shop) -> None:
    before = made.outputs()
    made.update(key="two.zip")
    made.localstalk.advance(15)
    assert made.status == "UPDATE_IN_PROGRESS"
    assert made.outputs() == before
    made.localstalk.advance(600)
    assert made.status == "UPDATE_COMPLETE"
    after = made.outputs()
    assert after["Name"] == before["Name"]
    assert after["Label"] != before["Label"]
    (environment,) = made.localstalk.eb.describe_environments()["Environments"]
    assert environment["VersionLabel"] == after["Label"]
    (version,) = made.localstalk.eb.describe_application_versions()["ApplicationVersions"]
    assert version["VersionLabel"] == after["Label"]
    assert version["SourceBundle"]["S3Key"] == "two.zip"


def test_settings_and_tags_of_an_environment_change_in_place(made: Shop) -> None:
    before = made.outputs()
    timeout = option("aws:elasticbeanstalk:command", "Timeout", "x") | {"Value": 1200}
    made.update(template(OptionSettings=[timeout], Tags=[{"Key": "stage", "Value": "test"}], Description="A stage"))
    made.localstalk.advance(900)
    assert made.status == "UPDATE_COMPLETE", made.events()
    assert made.outputs() == before
    assert made.settings()[("aws:elasticbeanstalk:command", "Timeout")] == "1200"
    assert COLOUR not in made.settings()
    (environment,) = made.localstalk.eb.describe_environments()["Environments"]
    assert environment["Description"] == "A stage"
    tags = made.localstalk.eb.list_tags_for_resource(ResourceArn=environment["EnvironmentArn"])["ResourceTags"]
    assert {"Key": "stage", "Value": "test"} in tags
    assert "team" not in {each["Key"] for each in tags}


def test_a_parameter_alone_changes_what_refers_to_it(made: Shop) -> None:
    made.update(Colour="red")
    made.localstalk.advance(600)
    assert made.status == "UPDATE_COMPLETE"
    assert made.settings()[COLOUR] == "red"
    with pytest.raises(ClientError, match="No updates are to be performed"):
        made.update(Colour="red")


def test_another_cname_prefix_is_another_environment(made: Shop) -> None:
    old = made.outputs()["Name"]
    made.update(template(CNAMEPrefix="shop-next"))
    made.localstalk.advance(1200)
    assert made.status == "UPDATE_COMPLETE", made.events()
    (environment,) = made.localstalk.eb.describe_environments(IncludeDeleted=False)["Environments"]
    assert environment["EnvironmentName"] == made.outputs()["Name"] != old
    assert environment["CNAME"].startswith("shop-next.")
    assert made.address() == environment["EndpointURL"]
    events = made.events()
    # The new one is there before the old one goes.
    assert events.index(("shop", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")) < events.index(("Env", "DELETE_IN_PROGRESS"))


def test_an_environment_with_a_name_of_its_own_is_not_replaced(shop: Shop) -> None:
    shop.create(template(EnvironmentName="shop-blue"))
    shop.localstalk.advance(600)
    shop.update(template(EnvironmentName="shop-blue", CNAMEPrefix="shop-next"))
    shop.localstalk.advance(600)
    assert shop.status == "UPDATE_ROLLBACK_COMPLETE"
    (reason,) = shop.reasons("UPDATE_FAILED")
    assert reason.startswith("CloudFormation cannot update a stack when a custom-named resource requires replacing.")
    (environment,) = shop.localstalk.eb.describe_environments()["Environments"]
    assert environment["Status"] == "Ready"


def test_an_environment_that_cannot_launch_fails_the_stack(shop: Shop) -> None:
    body = template()
    body["Resources"]["Saved"]["Properties"]["OptionSettings"] = [SINGLE]
    shop.create(body)
    shop.localstalk.advance(600)
    assert shop.status == "ROLLBACK_COMPLETE"
    (reason,) = shop.reasons("CREATE_FAILED")
    assert "did not stabilize" in reason
    (why,) = shop.reasons("ROLLBACK_IN_PROGRESS")
    assert why == "The following resource(s) failed to create: [Env]. Rollback requested by user."
    assert shop.localstalk.eb.describe_applications()["Applications"] == []
    with pytest.raises(ClientError, match="ROLLBACK_COMPLETE state and can not be updated"):
        shop.update()


def test_an_environment_whose_deployment_fails_fails_the_stack(shop: Shop) -> None:
    shop.localstalk.control.faults.add({"kind": "command", "command": "app-deploy", "outcome": "FAILURE"})
    shop.create()
    shop.localstalk.advance(1200)
    assert shop.status == "ROLLBACK_COMPLETE"
    states = {each["Status"] for each in shop.localstalk.eb.describe_environments(IncludeDeleted=True)["Environments"]}
    assert states == {"Terminated"}


def test_a_creation_that_takes_too_long_fails(shop: Shop) -> None:
    shop.create(TimeoutInMinutes=1)
    shop.localstalk.advance(900)
    assert shop.status == "ROLLBACK_COMPLETE"
    assert shop.reasons("CREATE_FAILED") == ["Stack creation time exceeded the specified timeout."]


def test_the_limit_of_time_is_for_the_creation_only(shop: Shop) -> None:
    shop.create(TimeoutInMinutes=10)
    shop.localstalk.advance(900)
    assert shop.status == "CREATE_COMPLETE"
    shop.api.delete_stack(StackName="shop")
    shop.localstalk.advance(600)
    with pytest.raises(ClientError, match="does not exist"):
        _ = shop.status


@pytest.mark.parametrize(
    ("given", "status", "left"),
    [({"DisableRollback": True}, "CREATE_FAILED", 1), ({"OnFailure": "DO_NOTHING"}, "CREATE_FAILED", 1)],
)
def test_without_rollback_what_was_made_stays(shop: Shop, given: Any, status: str, left: int) -> None:
    body = template()
    body["Resources"]["Saved"]["Properties"]["OptionSettings"] = [SINGLE]
    shop.create(body, **given)
    shop.localstalk.advance(600)
    assert shop.status == status
    assert len(shop.localstalk.eb.describe_applications()["Applications"]) == left


def test_a_deployment_that_fails_brings_the_old_version_back(made: Shop) -> None:
    before = made.outputs()
    made.localstalk.control.faults.add({"kind": "command", "command": "app-deploy", "outcome": "FAILURE", "times": 1})
    made.update(key="two.zip")
    made.localstalk.advance(1200)
    assert made.status == "UPDATE_ROLLBACK_COMPLETE", made.events()
    assert made.outputs() == before
    (environment,) = made.localstalk.eb.describe_environments()["Environments"]
    assert environment["VersionLabel"] == before["Label"]
    assert [
        each["VersionLabel"] for each in made.localstalk.eb.describe_application_versions()["ApplicationVersions"]
    ] == [before["Label"]]
    made.update(key="two.zip")
    made.localstalk.advance(1200)
    assert made.status == "UPDATE_COMPLETE"


def test_deletion_ends_everything(made: Shop) -> None:
    stack_id = made.stack["StackId"]
    made.api.delete_stack(StackName="shop")
    made.localstalk.advance(15)
    assert made.status == "DELETE_IN_PROGRESS"
    with pytest.raises(ClientError, match="can not be updated"):
        made.update(key="two.zip")
    made.localstalk.advance(600)
    with pytest.raises(ClientError, match="does not exist"):
        _ = made.status
    (gone,) = made.api.describe_stacks(StackName=stack_id)["Stacks"]
    assert gone["StackStatus"] == "DELETE_COMPLETE"
    assert made.localstalk.eb.describe_applications()["Applications"] == []
    assert made.localstalk.client("ssm").describe_parameters()["Parameters"] == []
    assert made.api.list_exports()["Exports"] == []
    # The bundle belongs to whoever uploaded it.
    assert made.localstalk.region.storage.read(made.localstalk.region.bucket, "one.zip") is not None


def test_a_stack_that_was_updated_can_be_deleted(made: Shop) -> None:
    made.update(key="two.zip")
    made.localstalk.advance(600)
    made.api.delete_stack(StackName="shop")
    made.localstalk.advance(600)
    with pytest.raises(ClientError, match="does not exist"):
        _ = made.status
    assert made.localstalk.eb.describe_applications()["Applications"] == []


def test_a_stack_that_is_being_made_can_be_deleted(shop: Shop) -> None:
    shop.create()
    shop.localstalk.advance(30)
    stack_id = shop.stack["StackId"]
    shop.api.delete_stack(StackName="shop")
    shop.localstalk.advance(900)
    assert shop.api.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"
    assert ("shop", "CREATE_COMPLETE") not in shop.events(stack_id)
    assert shop.localstalk.eb.describe_applications()["Applications"] == []


def test_what_is_retained_or_gone_already_does_not_stop_the_deletion(shop: Shop) -> None:
    body = template()
    for name in ("App", "Version"):
        body["Resources"][name]["DeletionPolicy"] = "Retain"
    shop.create(body)
    shop.localstalk.advance(600)
    outputs = shop.outputs()
    shop.localstalk.eb.terminate_environment(EnvironmentName=outputs["Name"])
    shop.localstalk.eb.delete_configuration_template(
        ApplicationName=outputs["Application"], TemplateName=outputs["Saved"]
    )
    shop.localstalk.advance(600)
    shop.api.delete_stack(StackName="shop")
    shop.localstalk.advance(600)
    with pytest.raises(ClientError, match="does not exist"):
        _ = shop.status
    (application,) = shop.localstalk.eb.describe_applications()["Applications"]
    assert application["Versions"] == [outputs["Label"]]


def test_change_sets_create_and_update(shop: Shop) -> None:
    common = {"StackName": "shop", "TemplateBody": json.dumps(template())}
    for number, kind, key in ((1, "CREATE", "one.zip"), (2, "UPDATE", "two.zip")):
        shop.api.create_change_set(
            ChangeSetName=f"change-{number}",
            ChangeSetType=kind,
            Parameters=[{"ParameterKey": "Key", "ParameterValue": key}],
            **common,
        )
        shop.api.execute_change_set(ChangeSetName=f"change-{number}", StackName="shop")
        assert shop.status == f"{kind}_IN_PROGRESS"
        shop.localstalk.advance(900)
        assert shop.status == f"{kind}_COMPLETE"
    (version,) = shop.localstalk.eb.describe_application_versions()["ApplicationVersions"]
    assert version["SourceBundle"]["S3Key"] == "two.zip"


def test_a_stack_of_other_things_takes_an_application_in(shop: Shop) -> None:
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": f"kept-{shop.localstalk.account}"}}
    shop.create({"Resources": {"Kept": bucket}}, Parameters=[])
    assert shop.status == "CREATE_COMPLETE", shop.reasons("CREATE_FAILED")
    body = {"Resources": {"Kept": bucket, "App": {"Type": "AWS::ElasticBeanstalk::Application"}}}
    shop.api.update_stack(StackName="shop", TemplateBody=json.dumps(body))
    shop.localstalk.advance(60)
    assert shop.status == "UPDATE_COMPLETE"
    assert len(shop.localstalk.eb.describe_applications()["Applications"]) == 1
    assert ("Kept", "CREATE_IN_PROGRESS") not in shop.events()
    shop.api.update_stack(StackName="shop", TemplateBody=json.dumps({"Resources": {"Kept": bucket}}))
    shop.localstalk.advance(60)
    assert shop.localstalk.eb.describe_applications()["Applications"] == []
    assert [each["Name"] for each in shop.localstalk.client("s3").list_buckets()["Buckets"]].count(
        f"kept-{shop.localstalk.account}"
    )


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"Colour": "blue"}, "extraneous key [Colour] is not permitted"),
        ({"VersionLabel": "none"}, "No Application Version named 'none' found."),
    ],
)
def test_a_property_that_is_refused_fails_the_stack(shop: Shop, change: dict[str, Any], text: str) -> None:
    shop.create(template(**change))
    shop.localstalk.advance(600)
    assert shop.status == "ROLLBACK_COMPLETE"
    (reason,) = shop.reasons("CREATE_FAILED")
    assert text in reason


def test_references_that_cannot_be_are_refused_at_once(shop: Shop) -> None:
    with pytest.raises(ClientError, match=r"Unresolved resource dependencies \[Nothing\]"):
        shop.create(template(VersionLabel={"Ref": "Nothing"}))
    body = template()
    body["Resources"]["App"]["DependsOn"] = "Env"
    with pytest.raises(ClientError, match="Circular dependency between resources"):
        shop.create(body)
    with pytest.raises(ClientError, match="does not support attribute type Colour"):
        shop.create(template() | {"Outputs": {"Colour": {"Value": {"Fn::GetAtt": ["Env", "Colour"]}}}})


def test_conditions_decide_what_is_made(shop: Shop) -> None:
    body = template()
    body["Conditions"] = {"IsRed": {"Fn::Equals": [{"Ref": "Colour"}, "red"]}}
    body["Resources"]["More"] = {"Type": "AWS::ElasticBeanstalk::Application", "Condition": "IsRed"}
    shop.create(body)
    shop.localstalk.advance(600)
    assert len(shop.localstalk.eb.describe_applications()["Applications"]) == 1
    shop.update(body, Colour="red")
    shop.localstalk.advance(600)
    assert len(shop.localstalk.eb.describe_applications()["Applications"]) == 2
    shop.update(body, Colour="blue")
    shop.localstalk.advance(600)
    assert len(shop.localstalk.eb.describe_applications()["Applications"]) == 1


def test_a_nested_stack_is_waited_for(shop: Shop) -> None:
    shop.localstalk.region.storage.write(shop.localstalk.region.bucket, "shop.json", json.dumps(template()).encode())
    url = f"https://{shop.localstalk.region.bucket}.s3.amazonaws.com/shop.json"
    inner = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url, "Parameters": {"Key": "one.zip"}}}
    shop.create({"Resources": {"Inner": inner}}, Parameters=[])
    shop.localstalk.advance(30)
    assert shop.status == "CREATE_IN_PROGRESS"
    shop.localstalk.advance(600)
    assert shop.status == "CREATE_COMPLETE", shop.reasons("CREATE_FAILED")
    assert len(shop.localstalk.eb.describe_environments()["Environments"]) == 1
    shop.api.delete_stack(StackName="shop")
    shop.localstalk.advance(30)
    assert shop.status == "DELETE_IN_PROGRESS"
    shop.localstalk.advance(600)
    assert shop.api.describe_stacks()["Stacks"] == []
    assert shop.localstalk.eb.describe_applications()["Applications"] == []
