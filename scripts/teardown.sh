#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# teardown.sh [--yes] ENV [TERRAFORM-ARGUMENT...]: removes an environment of
# terraform/envs, and looks whether anything of it is left. ENV has been
# initialised (terraform init -backend-config=backend-ENV.hcl). Exit status 3:
# something is left, and is listed.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
TF=${TF:-terraform}
AWS=${AWS:-aws}

die()
{
	echo "teardown: $*" >&2
	exit 1
}

usage()
{
	sed -n '4,7s/^# //p' "$0" >&2
	exit 2
}

# Asks for the name of the environment, so that nobody's finger slips.
confirm()
{
	local answer

	[[ $yes == 1 ]] && return
	read -r -p "This removes the NAT $nat and its VPC. Name the environment to go on: " answer
	[[ $answer == "$env" ]] || die "that was not $env: nothing was removed"
}

# Functions must not repair what is being removed.
stop_functions()
{
	local function

	for function in $(jq -r '(.functions // {})[]' <<<"$outputs"); do
		"$AWS" lambda put-function-concurrency --region "$region" \
			--function-name "$function" --reserved-concurrent-executions 0 >/dev/null ||
			echo "teardown: there is no $function any more"
	done
}

# All nodes go before anything else does, or those that go later would take the addresses and
# routes of the first. Without their hooks: nobody is left to hand over to.
end_nodes()
{
	local group left tries

	for group in "${groups[@]}"; do
		"$AWS" autoscaling delete-lifecycle-hook --region "$region" \
			--auto-scaling-group-name "$group" --lifecycle-hook-name terminate ||
			echo "teardown: $group has no hook any more"
		"$AWS" autoscaling update-auto-scaling-group --region "$region" \
			--auto-scaling-group-name "$group" --min-size 0 --desired-capacity 0 ||
			echo "teardown: there is no $group any more"
	done
	for ((tries = 0; tries < 60; tries++)); do
		left=$("$AWS" autoscaling describe-auto-scaling-groups --region "$region" \
			--auto-scaling-group-names "${groups[@]}" \
			--query 'AutoScalingGroups[].Instances[].InstanceId' --output text)
		[[ -n $left && $left != None ]] || return 0
		sleep "${PAUSE:-10}"
	done
	die "these nodes do not end: $left"
}

# Prints what still has the tag of the NAT. A key that waits for its deletion and
# instances that have ended keep their tags for a while, and cost nothing.
left_over()
{
	local arn state

	"$AWS" resourcegroupstaggingapi get-resources --region "$region" \
		--tag-filters "Key=natxdp:nat,Values=$nat" \
		--query 'ResourceTagMappingList[].ResourceARN' --output text | tr '\t' '\n' |
		while IFS= read -r arn || [[ -n $arn ]]; do
			case $arn in
			'' | None) continue ;;
			*:kms:*) state=$("$AWS" kms describe-key --region "$region" --key-id "$arn" --query KeyMetadata.KeyState --output text) ;;
			*:instance/*) state=$("$AWS" ec2 describe-instances --region "$region" --instance-ids "${arn##*/}" --query 'Reservations[].Instances[].State.Name' --output text) ;;
			*) state= ;;
			esac
			[[ $state == PendingDeletion || $state == terminated ]] || echo "$arn"
		done
}

yes=0
if [[ ${1-} == --yes ]]; then
	yes=1
	shift
fi
[[ $# -ge 1 ]] || usage
env=$1
shift
dir=$top/terraform/envs/$env
[[ -d $dir ]] || die "there is no terraform/envs/$env"

outputs=$("$TF" -chdir="$dir" output -json nat) ||
	die "terraform/envs/$env has no state here: terraform init -backend-config=backend-$env.hcl first"
nat=$(jq -r .name <<<"$outputs")
[[ -n $nat && $nat != null ]] || die "nothing is deployed in $env"
[[ $(jq -r .deletion_protection <<<"$outputs") != true ]] ||
	die "$nat is protected: terraform apply -var deletion_protection=false first. Nothing was removed"
region=$("$TF" -chdir="$dir" output -raw region)
mapfile -t groups < <(jq -r '.autoscaling_groups[]' <<<"$outputs")

confirm
stop_functions
end_nodes
"$TF" -chdir="$dir" destroy -auto-approve "$@"

left=$(left_over)
if [[ -n $left ]]; then
	echo "teardown: left of $nat:"
	echo "$left"
	exit 3
fi
echo "teardown: nothing is left of $nat"
