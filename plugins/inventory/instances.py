# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: instances
version_added: 1.0.0
short_description: Instances of Elastic Beanstalk as hosts
description:
  - Lists the running EC2 instances of Elastic Beanstalk environments as hosts, named by their instance ids.
  - Needs one call to Elastic Beanstalk for each region, and one to EC2 for every 1000 instances in it, however many
    environments there are.
  - Hosts are in groups such as C(eb_application_blog), C(eb_environment_blog_production), C(eb_tier_webserver),
    C(eb_health_green), C(eb_version_v1), and C(eb_role_live) where the environment has the tag C(jack:role).
  - Variables of a host begin with C(eb_instance_), so that none is one of those that playbooks of this collection read.
    C(eb_instance_id), C(eb_instance_type), C(eb_instance_launched_at), C(eb_instance_availability_zone),
    C(eb_instance_private_ip), C(eb_instance_public_ip), C(eb_instance_private_dns), C(eb_instance_public_dns),
    C(eb_instance_tags), C(eb_instance_region), C(eb_instance_leader), and of its environment
    C(eb_instance_application_name), C(eb_instance_environment_name), C(eb_instance_environment_id),
    C(eb_instance_cname), C(eb_instance_cname_prefix), C(eb_instance_version_label), C(eb_instance_status),
    C(eb_instance_health), C(eb_instance_health_status), C(eb_instance_tier), C(eb_instance_platform),
    C(eb_instance_role) and C(eb_instance_logical).
  - The group C(eb_leader) has the instances whose tag C(jack:leader) says that they led the deployment of the version
    that their environment runs. Where no hook sets that tag, M(jack.beanstalk.leader_info) tells the leader.
  - The configuration is a YAML file whose name ends in C(beanstalk.yml) or C(beanstalk.yaml).
author:
  - The jack.beanstalk team (!UNKNOWN)
extends_documentation_fragment:
  - ansible.builtin.inventory_cache
  - ansible.builtin.constructed
  - amazon.aws.boto3
  - amazon.aws.common.plugins
  - amazon.aws.region.plugins
  - amazon.aws.assume_role.plugins
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [jack.beanstalk.instances]
  regions:
    description: Regions to look in; O(region) alone when it is empty.
    type: list
    elements: str
    default: []
  applications:
    description: Only instances of these applications.
    type: list
    elements: str
    default: []
  address:
    description:
      - Which address becomes C(ansible_host); the first of these that an instance has.
      - V(instance_id) suits connections through Systems Manager.
    type: list
    elements: str
    choices: [private_ip, public_ip, private_dns, public_dns, instance_id]
    default: [private_ip, public_ip]
"""

EXAMPLES = r"""
# blog.beanstalk.yml: over SSH
plugin: jack.beanstalk.instances
region: us-east-1
applications: [blog]
compose:
  ansible_user: "'ec2-user'"
---
# through Systems Manager, no port open
plugin: jack.beanstalk.instances
region: us-east-1
address: [instance_id]
compose:
  ansible_connection: "'amazon.aws.aws_ssm'"
  ansible_aws_ssm_region: eb_instance_region
keyed_groups:
  - key: eb_instance_availability_zone
    prefix: zone
"""

from ansible.errors import AnsibleParserError
from ansible_collections.amazon.aws.plugins.plugin_utils.inventory import AWSInventoryBase
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core import api
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.leader import instances


class InventoryModule(AWSInventoryBase):
    NAME = "jack.beanstalk.instances"
    INVENTORY_FILE_SUFFIXES = ("beanstalk.yml", "beanstalk.yaml")

    def parse(self, inventory, loader, path, cache=True):
        """Fill the inventory, from the cache when that is allowed."""
        super().parse(inventory, loader, path, cache=cache)
        cached, found = self.get_cached_result(path, cache)
        if not cached:
            found = self._fetch()
        for host in found:
            self._add(host)
        self.update_cached_result(path, cache, found)

    def _fetch(self):
        regions = self.get_option("regions") or [self.get_option("region")]
        if not all(regions):
            raise AnsibleParserError("The inventory plugin jack.beanstalk.instances needs a region.")
        wanted = self.get_option("applications")
        found = []
        try:
            for region in regions:
                client = api.CallCounter().attach(self.client("elasticbeanstalk", region=region))
                environments = api.describe_environments(client)
                if wanted:
                    environments = [item for item in environments if item["ApplicationName"] in wanted]
                if environments:
                    answered = api.describe_ec2_instances(self.client("ec2", region=region), instances.ID_TAG)
                    found += instances.join(answered, environments, region)
        except AnsibleBeanstalkError as error:
            raise AnsibleParserError(f"jack.beanstalk.instances: {error}") from error
        return found

    def _add(self, host):
        name = host["eb_instance_id"]
        self.inventory.add_host(name)
        for group in instances.groups_of(host):
            self.inventory.add_group(group)
            self.inventory.add_host(name, group=group)
        address = instances.address_of(host, self.get_option("address"))
        variables = {**host, "ansible_host": address} if address else host
        for key, value in variables.items():
            self.inventory.set_variable(name, key, value)
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, name, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, name, strict=strict)
