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

# Instances must go without their hooks: the nodes that they would hand over to
# are going, too.
release_groups()
{
	local group

	for group in $("$TF" -chdir="$dir" output -json nat | jq -r '.autoscaling_groups[]'); do
		"$AWS" autoscaling delete-lifecycle-hook --region "$region" \
			--auto-scaling-group-name "$group" --lifecycle-hook-name terminate ||
			echo "teardown: $group has no hook any more"
	done
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

nat=$("$TF" -chdir="$dir" output -json nat | jq -r .name) ||
	die "terraform/envs/$env has no state here: terraform init -backend-config=backend-$env.hcl first"
[[ -n $nat && $nat != null ]] || die "nothing is deployed in $env"
region=$("$TF" -chdir="$dir" output -raw region)

confirm
release_groups
"$TF" -chdir="$dir" destroy -auto-approve "$@"

left=$(left_over)
if [[ -n $left ]]; then
	echo "teardown: left of $nat:"
	echo "$left"
	exit 3
fi
echo "teardown: nothing is left of $nat"
