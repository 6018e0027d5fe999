#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Run a playbook with the role recreate_and_swap and end with a status that says how the cycle ended:
# cycle_status.sh ansible-playbook [OPTION]... recreate_and_swap.yml
# 0 done, 10 skipped, 11 refused, 12 failed_rolled_back, 13 failed_needs_human, 75 locked; of several hosts the worst.
# A playbook that failed before its cycle had a result has its own status.
set -uo pipefail
umask 077

: "${1:?usage: cycle_status.sh ansible-playbook [OPTION]... PLAYBOOK}"
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT

"$@" --extra-vars "{\"recreate_and_swap_result_folder\": \"$folder\"}"
rc=$?

worst() {
  local word
  for word in failed_needs_human:13 failed_rolled_back:12 refused:11 locked:75; do
    grep -qsx "${word%:*}" "$folder"/* && echo "${word#*:}" && return
  done
  if [ "$rc" -ne 0 ]; then
    echo "$rc"
  elif grep -qsx 'done' "$folder"/* || ! grep -qsx skipped "$folder"/*; then
    echo 0
  else
    echo 10
  fi
}

exit "$(worst)"
