#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Common part of the deployment hooks that jack.beanstalk's role hooks generates. It is shipped in the source bundle and
# runs as root on the instance (bash 4.2 or later), in these ways:
#   sourced by a generated hook, which has set the hook_* variables, and then calls run_hook;
#   sourced by exec.yml of the role operations, which runs one command where the application runs (phase "exec");
#   "bash .platform/files/PREFIX_hooks.sh mark PREFIX NAME" in a leader_only container command: this instance is the
#   leader for the hook NAME.
# A marker says which bundle it was set for. It is consumed before the task runs, so a task that fails or hangs is never
# run by an old marker; Elastic Beanstalk (EB) sets a new one with the next deployment.
# shellcheck disable=SC2154 # the generated hook sets hook_*
set -u

# Tests run the hooks against a folder instead of the instance's file system.
hooks_root=${JACK_HOOKS_ROOT:-}

hooks_state_dir() {
  printf '%s' "${hooks_root}/var/lib/${hook_prefix}_hooks"
}

# The source bundle on this instance: Amazon Linux 2 and later, then the legacy Amazon Linux AMI.
hooks_bundle() {
  local path
  for path in /opt/elasticbeanstalk/deployment/app_source_bundle \
    /opt/elasticbeanstalk/deploy/appsource/source_bundle; do
    if [ -f "${hooks_root}${path}" ]; then
      printf '%s' "${hooks_root}${path}"
      return 0
    fi
  done
  return 1
}

# Make the state folder and insist that only root can reach into it.
hooks_prepare_state() {
  local dir
  dir=$(hooks_state_dir)
  if [ -L "$dir" ]; then
    echo "${dir} is a symbolic link; refusing to use it." >&2
    return 1
  fi
  (umask 077 && mkdir -p "${dir}/markers") || return 1
  if [ ! -O "$dir" ]; then
    echo "${dir} belongs to another user; refusing to use it." >&2
    return 1
  fi
  chmod 0700 "$dir" "${dir}/markers"
}

# SHA-256 of the bundle, worked out once per bundle file: it may be 500 MB.
hooks_bundle_sha256() {
  local bundle cache key known sum
  bundle=$(hooks_bundle) || return 1
  hooks_prepare_state || return 1
  cache=$(hooks_state_dir)/bundle
  key=$(stat -c '%n:%i:%s:%y' "$bundle")
  if [ -f "$cache" ]; then
    { IFS= read -r known && IFS= read -r sum; } <"$cache" || true
    if [ "${known:-}" = "$key" ] && [ ${#sum} -eq 64 ]; then
      printf '%s' "$sum"
      return 0
    fi
  fi
  sum=$(sha256sum <"$bundle") || return 1
  sum=${sum%% *}
  (umask 077 && printf '%s\n%s\n' "$key" "$sum" >"${cache}.$$" && mv -f "${cache}.$$" "$cache")
  printf '%s' "$sum"
}

# EB's own note of what it deployed, on one line; the bundle cannot know its label.
hooks_manifest() {
  local manifest
  for manifest in /opt/elasticbeanstalk/deployment/app_version_manifest.json /opt/elasticbeanstalk/deploy/manifest; do
    if [ -r "${hooks_root}${manifest}" ]; then
      tr -d '\n' <"${hooks_root}${manifest}"
      return 0
    fi
  done
}

# What a sed script finds last in the log of EB's engine.
hooks_engine_log() {
  sed -n "$1" "${hooks_root}/var/log/eb-engine.log" 2>/dev/null | tail -n 1
}

# From the manifest (older platforms have the label as a key only), else what EB's engine said last.
hooks_version_label() {
  local label
  label=$(hooks_manifest | sed -n 's/.*"VersionLabel" *: *"\([^"]*\)".*/\1/p')
  [ -n "$label" ] || label=$(hooks_manifest | sed -n 's/.*"RuntimeSources" *: *{ *"[^"]*" *: *{ *"\([^"]*\)".*/\1/p')
  [ -n "$label" ] || label=$(hooks_engine_log 's#.*/_runtime/_versions/[^/]*/\([^,]*\).*#\1#p')
  printf '%s' "$label"
}

# The same version may be deployed more than once: the number tells the records of its deployments apart.
hooks_deployment_id() {
  local id
  id=$(hooks_manifest | sed -n 's/.*"DeploymentId" *: *\([0-9][0-9]*\).*/\1/p')
  printf '%s' "${id:-null}"
}

# cloud-init's note, else what EB's engine said last, else the instance metadata service.
hooks_instance_id() {
  local id token
  id=$(cat "${hooks_root}/var/lib/cloud/data/instance-id" 2>/dev/null)
  [ -n "$id" ] || id=$(hooks_engine_log 's/.*leader election for instance \(i-[0-9a-f]*\).*/\1/p')
  if [ -z "$id" ] && [ -z "$hooks_root" ]; then
    token=$(curl --silent --max-time 2 --request PUT --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' \
      http://169.254.169.254/latest/api/token) || token=
    id=$(curl --silent --fail --max-time 2 --header "X-aws-ec2-metadata-token: ${token}" \
      http://169.254.169.254/latest/meta-data/instance-id) || id=
  fi
  printf '%s' "$id"
}

# The leader's note for one hook (mark PREFIX NAME).
hooks_mark() {
  local marker sum
  hooks_prepare_state || return 1
  sum=$(hooks_bundle_sha256) || {
    echo "No source bundle found on this instance; the marker of ${1} cannot be set." >&2
    return 1
  }
  marker=$(hooks_state_dir)/markers/${1}
  (umask 077 && printf '%s\n' "$sum" >"${marker}.$$" && mv -f "${marker}.$$" "$marker") || return 1
  echo "This instance is the leader for the hook ${1}."
}

# Take this hook's marker away and say whether it allows a run: 0 yes, 1 no; hook_reason says why.
hooks_take_marker() {
  local marker taken sum
  hooks_prepare_state || { hook_reason="the marker folder is not safe" && return 1; }
  marker=$(hooks_state_dir)/markers/${hook_name}
  taken=$(hooks_state_dir)/taken.$$
  if ! mv "$marker" "$taken" 2>/dev/null; then
    hook_reason="not the leader"
    return 1
  fi
  IFS= read -r sum <"$taken" || true
  rm -f "$taken"
  if [ -z "$hook_sha256" ] || [ "${sum:-}" != "$hook_sha256" ]; then
    hook_reason="stale marker of another bundle removed"
    return 1
  fi
  if [ "${EB_IS_COMMAND_LEADER:-}" = false ]; then
    hook_reason="marker removed: not the leader of this command"
    return 1
  fi
  hook_reason="leader"
}

# The once store, where the owner named a place for one: attempt N at a task of this version is the object
# PREFIX/SHA256/TASK.N in S3, made by a conditional write that only one instance wins, also when EB elects a leader for
# every batch. It says "STATE INSTANCE TIME UNTIL": running (until that second since the epoch at the latest), done or
# failed. What failed, or was running on an instance that was killed in the middle, makes room for the next attempt.
# It needs s3:PutObject and s3:GetObject on these objects, and an AWS CLI that knows --if-none-match.

# Write the state of this attempt (more arguments go to put-object); hooks_answer has what went wrong.
hooks_once_store_write() {
  local state=$1 claim rc=0
  shift
  claim=$(hooks_state_dir)/claim.$$
  printf '%s %s %s %s\n' "$state" "$HOOK_INSTANCE_ID" "$hook_at" "$hook_until" >"$claim"
  hooks_answer=$(hooks_s3 put-object "${hook_claim[@]}" --body "$claim" "$@" 2>&1 >/dev/null) || rc=1
  rm -f "$claim"
  return "$rc"
}

# Claim the task. 0: go on (hook_once_store_state says on what ground), 1: not ours to run.
hooks_claim() {
  local attempt=1 patience state instance at until
  [ -n "$hook_once_store" ] || return 0
  # As long as an attempt can last (see hooks_run_in_container), and a little for clocks that differ.
  hook_until=$(($(date +%s) + hook_timeout + 30))
  patience=$((hook_until + 30))
  while [ "$(date +%s)" -le "$patience" ]; do
    hook_claim=(--bucket "${hook_once_store%%/*}" --key "${hook_once_store#*/}/${hook_sha256}/${hook_name}.${attempt}")
    if hooks_once_store_write running --if-none-match '*'; then
      hook_once_store_state=s3
      return 0
    fi
    case $hooks_answer in
      *PreconditionFailed*) ;;
      *ConditionalRequestConflict*) continue ;; # S3's advice: try again
      *)
        # No AWS CLI, an old one, or an instance profile that may not write there: the marker alone decides.
        hook_once_store_state=unavailable
        echo "No once store, the marker alone decides: ${hooks_answer##*$'\n'}" >&2
        return 0
        ;;
    esac
    hook_once_store_state=s3
    if ! read -r state instance at until < <(hooks_s3 get-object "${hook_claim[@]}" /dev/stdout 2>/dev/null); then
      hook_reason="the once store has an attempt that this instance may not read"
      return 1
    fi
    if [ "$state" = 'done' ]; then
      hook_reason="the once store says that this version has run it: ${instance} ${at}"
      return 1
    elif [ "$state" = failed ] || [ "$(date +%s)" -gt "${until:-0}" ]; then
      attempt=$((attempt + 1))
      [ "$state" = failed ] || state='never ended'
      hook_reason="leader; attempt ${attempt}, because the one of ${instance} at ${at} ${state}"
    else
      hook_reason="the once store says that ${instance} is at it since ${at}"
      sleep 2
    fi
  done
  return 1
}

# Tell the once store how it ended.
hooks_settle() {
  local state='done'
  [ "$hook_once_store_state" = s3 ] || return 0
  [ "$1" -eq 0 ] || state=failed
  hooks_once_store_write "$state" || hook_reason="${hook_reason}; the once store could not be told: ${hooks_answer##*$'\n'}"
}

hooks_s3() {
  timeout 30 aws s3api "$@"
}

# The running container of a compose service, by the label that compose gives it.
hooks_find_service() {
  local found
  mapfile -t found < <(docker ps --quiet --no-trunc --filter "label=com.docker.compose.service=${hook_service}" | sort)
  if [ ${#found[@]} -eq 0 ]; then
    echo "No running container of the compose service ${hook_service}." >&2
    return 1
  fi
  [ ${#found[@]} -eq 1 ] || echo "${#found[@]} containers of ${hook_service}; using the first." >&2
  printf '%s' "${found[0]}"
}

# The container that gets the traffic. Never just any running container: that may be a helper, or the version before.
hooks_find_container() {
  local ids all line address current id image name found=()
  # shellcheck disable=SC2016 # Go template, not shell
  local format='{{.Id}} {{.Image}} {{.Config.Image}} {{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}'
  ids=$(docker ps --quiet --no-trunc) || return 1
  if [ -z "$ids" ]; then
    echo "No container is running on this instance." >&2
    return 1
  fi
  all=$(printf '%s\n' "$ids" | xargs docker inspect --format "$format") || return 1
  # 1. The address that EB's nginx sends requests to.
  address=$(cat "${hooks_root}"/etc/nginx/conf.d/elasticbeanstalk-nginx-docker-upstream.conf \
    "${hooks_root}"/etc/nginx/conf.d/elasticbeanstalk/*upstream*.conf 2>/dev/null |
    sed -n 's/^[[:space:]]*server[[:space:]]*\([0-9.]*\):[0-9]*.*/\1/p' | head -n 1)
  if [ -n "$address" ]; then
    while IFS= read -r line; do
      case " ${line} " in *" ${address} "*) found+=("${line%% *}") ;; esac
    done <<<"$all"
  fi
  # 2. The image that EB names "current".
  if [ ${#found[@]} -ne 1 ]; then
    found=()
    current=$(docker image inspect --format '{{.Id}}' aws_beanstalk/current-app 2>/dev/null) || current=
    while read -r id image name _; do
      if [ "${image#sha256:}" = "${current#sha256:}" ] || [[ $name == *aws_beanstalk/current-app* ]]; then
        found+=("$id")
      fi
    done <<<"$all"
  fi
  if [ ${#found[@]} -ne 1 ]; then
    echo "Cannot tell which of the running containers is the application (${#found[@]} candidates)." >&2
    return 1
  fi
  printf '%s' "${found[0]}"
}

hooks_json_text() {
  local text=${1//\\/\\\\}
  text=${text//\"/\\\"}
  printf '"%s"' "${text//[[:cntrl:]]/ }"
}

# One JSON line per hook run: this is what EB's log requests return and leader_info reads. Arguments: ran rc seconds.
hooks_report() {
  local leader=null config=false log
  case ${EB_IS_COMMAND_LEADER:-} in true | false) leader=$EB_IS_COMMAND_LEADER ;; esac
  case $0 in *confighooks/* | *configdeploy/*) config=true ;; esac
  log=${hooks_root}/var/log/${hook_prefix}-hooks.log
  printf '{"at": "%s", "hook": "%s", "phase": "%s", "config_deploy": %s, "leader_only": %s, "leader": %s, "once_store": "%s", "ran": %s, "reason": %s, "rc": %s, "seconds": %s, "bundle_sha256": "%s", "version_label": %s, "deployment_id": %s, "instance_id": "%s"}\n' \
    "$hook_at" "$hook_name" "$hook_phase" "$config" "$hook_leader_only" "$leader" \
    "$hook_once_store_state" "$1" "$(hooks_json_text "$hook_reason")" \
    "$2" "$3" "$hook_sha256" "$(hooks_json_text "$HOOK_VERSION_LABEL")" "$(hooks_deployment_id)" "$HOOK_INSTANCE_ID" >>"$log"
}

# From the JSON object of get-config to NAME=VALUE pairs, each ended by a NUL. The legacy AMI's Python is version 2.
# shellcheck disable=SC2016 # Python, not shell
hooks_pairs='import json, sys
source, target = (getattr(each, "buffer", each) for each in (sys.stdin, sys.stdout))
for pair in json.loads(source.read().decode("utf-8")).items():
    target.write((u"%s=%s\0" % pair).encode("utf-8"))'

# Amazon Linux 2 and later give the environment properties to hooks, the legacy AMI and Systems Manager do not: export them, but replace
# nothing that is set, neither EB's variables nor ours.
hooks_load_properties() {
  local python properties pair
  case $0 in "${hooks_root}"/opt/elasticbeanstalk/hooks/*) ;; *) [ "$hook_phase" = exec ] || return 0 ;; esac
  if ! python=$(command -v python3 || command -v python) ||
    ! properties=$("${hooks_root}/opt/elasticbeanstalk/bin/get-config" environment); then
    echo "The environment properties cannot be read, so the task is not started." >&2
    return 1
  fi
  while IFS= read -r -d '' pair; do
    if [[ $pair =~ ^[A-Za-z_][A-Za-z0-9_]*= ]] && ! declare -p "${pair%%=*}" >/dev/null 2>&1; then
      export "${pair?}"
    fi
  done < <("$python" -c "$hooks_pairs" <<<"$properties")
}

hooks_run_on_host() {
  local run=(bash -c "$hook_command")
  [ -z "$hook_user" ] || run=(runuser -u "$hook_user" -- "${run[@]}")
  (
    hooks_load_properties || exit 1
    [ -z "$hook_workdir" ] || cd "$hook_workdir" || exit 1
    export "${hook_environment[@]}"
    exec timeout --kill-after=10 "$hook_timeout" "${run[@]}" </dev/null
  )
}

# On a Python platform the application runs in a virtual environment, in a folder of its user's.
hooks_run_in_venv() {
  local venv folder home
  venv=$(compgen -G "${hooks_root}/var/app/venv/*/bin/activate" | head -n 1)
  if [ -z "$venv" ]; then
    echo "No virtual environment in /var/app/venv: is this a Python platform?" >&2
    return 1
  fi
  venv=${venv%/bin/activate}
  folder=${hooks_root}/var/app/current
  [ "$hook_phase" != predeploy ] || folder=${hooks_root}/var/app/staging
  case $hook_workdir in /*) ;; *) hook_workdir=${folder}/${hook_workdir} ;; esac
  hook_user=${hook_user:-webapp}
  home=$(getent passwd "$hook_user" | cut -d : -f 6)
  hook_environment=("VIRTUAL_ENV=${venv}" "PATH=${venv}/bin:${PATH}" "HOME=${home}" "${hook_environment[@]}")
  hooks_run_on_host
}

# The limit is kept inside the container as well: ending the Docker client does not end what it started.
hooks_run_in_container() {
  # shellcheck disable=SC2016 # for the shell in the container
  local inner='if command -v timeout >/dev/null 2>&1; then exec timeout "$1" sh -c "$2"; fi; exec sh -c "$2"'
  local options=() target=() pair name container
  [ -z "$hook_user" ] || options+=(--user "$hook_user")
  [ -z "$hook_workdir" ] || options+=(--workdir "$hook_workdir")
  for pair in "${hook_environment[@]}"; do
    options+=(--env "$pair")
  done
  if [ "$hook_phase" = predeploy ]; then
    # The new container does not run yet: a short-lived one of the new image, with the environment properties that EB
    # gives to hooks. EB's env.list does not exist yet on a new instance.
    hooks_load_properties || return 1
    while IFS= read -r name; do
      case $name in HOME | PATH | PORT | PWD | OLDPWD | SHLVL | HOOK_* | JACK_* | _) ;; *) options+=(--env "$name") ;; esac
    done < <(compgen -e)
    target=(run --rm "${options[@]}" aws_beanstalk/staging-app)
  else
    if [ -n "$hook_service" ]; then
      container=$(hooks_find_service) || return 125
    else
      container=$(hooks_find_container) || return 125
    fi
    target=(exec "${options[@]}" "$container")
  fi
  timeout --kill-after=10 "$((hook_timeout + 15))" docker "${target[@]}" sh -c "$inner" sh "$hook_timeout" "$hook_command" </dev/null
}

run_hook() {
  local begin end milliseconds deployment rc=0
  # EB on the legacy AMI keeps a copy of every file it overwrites, and runs that too.
  case $0 in *.bak) exit 0 ;; esac
  hook_at=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  hook_reason="every instance"
  hook_once_store_state=none
  hook_sha256=$(hooks_bundle_sha256) || hook_sha256=
  HOOK_VERSION_LABEL=$(hooks_version_label)
  HOOK_INSTANCE_ID=$(hooks_instance_id)
  deployment=$(hooks_deployment_id)
  hook_environment+=("HOOK_NAME=${hook_name}" "HOOK_VERSION_LABEL=${HOOK_VERSION_LABEL}"
    "HOOK_DEPLOYMENT_ID=${deployment#null}" "HOOK_INSTANCE_ID=${HOOK_INSTANCE_ID}" "HOOK_BUNDLE_SHA256=${hook_sha256}")
  if [ "$hook_leader_only" = true ] && ! { hooks_take_marker && hooks_claim; }; then
    hooks_report false null 0
    echo "Hook ${hook_name} not run: ${hook_reason}."
    exit 0
  fi
  begin=$(date +%s%3N)
  case $hook_where in
    host) hooks_run_on_host || rc=$? ;;
    venv) hooks_run_in_venv || rc=$? ;;
    *) hooks_run_in_container || rc=$? ;;
  esac
  end=$(date +%s%3N)
  milliseconds=$((end - begin))
  printf -v milliseconds '%d.%03d' "$((milliseconds / 1000))" "$((milliseconds % 1000))"
  [ "$rc" -ne 124 ] || hook_reason="${hook_reason}; ended after ${hook_timeout} s"
  hooks_settle "$rc"
  hooks_report true "$rc" "$milliseconds"
  if [ "$rc" -eq 0 ]; then
    echo "Hook ${hook_name} done in ${milliseconds} s."
    exit 0
  fi
  echo "Hook ${hook_name} failed with exit code ${rc} after ${milliseconds} s (on_failure: ${hook_on_failure})." >&2
  [ "$hook_on_failure" != warn ] || exit 0
  exit "$rc"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  if [ "${1:-}" != mark ] || [ $# -ne 3 ]; then
    echo "Usage: hooks.sh mark PREFIX NAME" >&2
    exit 2
  fi
  hook_prefix=$2
  hooks_mark "$3"
fi
