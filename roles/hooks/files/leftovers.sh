#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What hooks of an owner have left on this instance: bash leftovers.sh find|remove PREFIX
# One line each: "own PATH" is the owner's and not needed by the version that runs, "kept PATH" is the owner's and needed,
# "else PATH" is somebody else's, which is only named.
set -u
shopt -s nullglob

root=${JACK_HOOKS_ROOT:-}
action=$1
prefix=$2
hooks=${root}/opt/elasticbeanstalk/hooks
state=${root}/var/lib/${prefix}_hooks

own() {
  printf 'own %s\n' "${1#"$root"}"
  if [ "$action" = remove ]; then
    rm -rf -- "$1"
  fi
}

# Does the version that runs have hooks of the owner? On the legacy platform only the bundle tells.
used=
bundle=$root/opt/elasticbeanstalk/deploy/appsource/source_bundle
if [ -e "$root/var/app/current/.platform/files/${prefix}_hooks.sh" ]; then
  used=yes
elif [ -f "$bundle" ] && grep -aq "/${prefix}_hooks\.config" "$bundle"; then
  used=yes
fi

# The legacy platform's folders: nothing of the owner stays there between two deployments, but for scripts of
# configuration deployments.
for path in "$hooks"/*/*/* "$hooks"/{preinit,postinit}/*; do
  [ -f "$path" ] || continue
  case ${path##*/} in
    "${prefix}_"*)
      case ${used}${path} in
        yes*/configdeploy/*.sh) printf 'kept %s\n' "${path#"$root"}" ;;
        *) own "$path" ;;
      esac
      ;;
    *) printf 'else %s\n' "${path#"$root"}" ;;
  esac
done

# Markers live for the length of a deployment, and this runs between two.
for path in "$state"/markers/* "$state"/taken.* "$state"/claim.*; do
  own "$path"
done

# Log, state and library are needed as long as the version that runs has hooks of the owner.
tasks=${root}/opt/elasticbeanstalk/tasks
for path in "$root"/var/lib/*_hooks "$root"/opt/elasticbeanstalk/*_hooks "$root"/var/log/*-hooks.log \
  "$tasks"/{taillogs.d,bundlelogs.d}/*_hooks.conf; do
  case ${path##*/}${used} in
    eb-hooks.log*) ;; # Elastic Beanstalk's own
    "$prefix"[_-]hooks*yes) printf 'kept %s\n' "${path#"$root"}" ;;
    "$prefix"[_-]hooks*) own "$path" ;;
    *) printf 'else %s\n' "${path#"$root"}" ;;
  esac
done
