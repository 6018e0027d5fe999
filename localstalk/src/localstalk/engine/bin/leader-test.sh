#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Succeeds on the leader of the current command only; usable as `test:` of a container command.
[ "$EB_IS_COMMAND_LEADER" = "true" ]
