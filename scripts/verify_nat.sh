#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# verify_nat.sh ENV: shows whether the NAT of an environment of terraform/envs
# works: fleet, routes, addresses, target health, metrics, a packet through each
# node, and what the internet sees of each probe. Exit status 1: something is
# wrong, 2: usage. ENV has been initialised and applied.
#
# TF, AWS        the commands terraform and aws
# NAT_OUTPUTS    a file with `terraform output -json`, instead of asking for it
# AWS_ENDPOINT_URL  another AWS, such as a stand-in
# CHECK_URL      what answers with the address that it sees
# PATIENCE       seconds to wait for a command on an instance (120)
set -uo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
TF=${TF:-terraform}
AWS=${AWS:-aws}
CHECK_URL=${CHECK_URL:-https://checkip.amazonaws.com}
PATIENCE=${PATIENCE:-120}
wrong=0 checked=0

die()
{
	echo "verify_nat: $*" >&2
	exit 2
}

# awscli of before 2.13 does not know AWS_ENDPOINT_URL.
aws()
{
	"$AWS" --output json ${region:+--region "$region"} \
		${AWS_ENDPOINT_URL:+--endpoint-url "$AWS_ENDPOINT_URL"} "$@"
}

# say LEVEL WHAT FOUND
say()
{
	checked=$((checked + 1))
	[[ $1 == WRONG ]] && wrong=$((wrong + 1))
	printf '%-5s  %-34s %s\n' "$1" "$2" "$3"
}

# ok_if CONDITION-STATUS WHAT FOUND
ok_if()
{
	if (($1 == 0)); then
		say ok "$2" "$3"
	else
		say WRONG "$2" "$3"
	fi
}

# Prints the part of the outputs that a jq filter names.
nat()
{
	jq -r "$1" <<<"$outputs"
}

check_fleet()
{
	local groups names name found

	mapfile -t names < <(nat '.autoscaling_groups[]')
	groups=$(aws autoscaling describe-auto-scaling-groups --auto-scaling-group-names "${names[@]}")
	for name in "${names[@]}"; do
		found=$(jq -r --arg name "$name" '.AutoScalingGroups[] | select(.AutoScalingGroupName == $name) |
			"\(.DesiredCapacity) \([.Instances[] |
				select(.LifecycleState == "InService" and .HealthStatus == "Healthy")] | length)"' <<<"$groups")
		[[ -n $found && ${found% *} == "${found#* }" && ${found% *} != 0 ]]
		ok_if $? "group $name" "${found#* } of ${found% *} nodes in service"
	done
	mapfile -t nodes < <(jq -r '.AutoScalingGroups[].Instances[].InstanceId' <<<"$groups")
}

# say_route TABLE ZONE TARGET STATE: one that leads to a node of another zone works, and is a failover.
say_route()
{
	local what="route of $1 ($2)" node

	node=$(nat ".network_interface_ids | to_entries[] | select(.value == \"$3\") | .key")
	if [[ $4 != active ]]; then
		say WRONG "$what" "to $3, ${4:-which is none}"
	elif [[ $(nat .mode) == gwlb && $3 == vpce-* ]]; then
		say ok "$what" "to the endpoint $3"
	elif [[ $node == "$2" || $node == "$2-standby" ]]; then
		say ok "$what" "to node $node, $3"
	elif [[ -n $node ]]; then
		say moved "$what" "to node $node, $3: a failover"
	else
		say WRONG "$what" "to $3, which is no node of this NAT"
	fi
}

check_routes()
{
	local tables table zone target state ids

	mapfile -t ids < <(nat '.route_tables | keys[]')
	tables=$(aws ec2 describe-route-tables --route-table-ids "${ids[@]}")
	while read -r table zone; do
		read -r target state < <(jq -r --arg table "$table" '.RouteTables[] | select(.RouteTableId == $table) |
			.Routes[] | select(.DestinationCidrBlock == "0.0.0.0/0") |
			"\(.NetworkInterfaceId // .VpcEndpointId // .GatewayId // .NatGatewayId // "nothing") \(.State)"' <<<"$tables")
		say_route "$table" "$zone" "${target:-nothing}" "$state"
	done < <(nat '.route_tables | to_entries[] | "\(.key) \(.value)"')
}

check_interfaces()
{
	local interfaces node eni found ids

	mapfile -t ids < <(nat '.network_interface_ids[]')
	[[ ${#ids[@]} == 0 ]] && return
	interfaces=$(aws ec2 describe-network-interfaces --network-interface-ids "${ids[@]}")
	while read -r node eni; do
		found=$(jq -r --arg eni "$eni" '.NetworkInterfaces[] | select(.NetworkInterfaceId == $eni) |
			"\(.SourceDestCheck) \(.Attachment.InstanceId // "no instance")"' <<<"$interfaces")
		[[ $found == "false i-"* ]]
		ok_if $? "interface of $node" "$eni: source/dest check ${found%% *}, at ${found#* }"
	done < <(nat '.network_interface_ids | to_entries[] | "\(.key) \(.value)"')
}

check_addresses()
{
	local addresses zone address found known

	mapfile -t known < <(nat '.public_ips[][]')
	[[ ${#known[@]} == 0 ]] && return
	addresses=$(aws ec2 describe-addresses --public-ips "${known[@]}")
	while read -r zone address; do
		found=$(jq -r --arg address "$address" '.Addresses[] | select(.PublicIp == $address) |
			.NetworkInterfaceId // "nothing"' <<<"$addresses")
		[[ $found == eni-* ]]
		ok_if $? "address $address ($zone)" "at ${found:-nothing}"
	done < <(nat '.public_ips | to_entries[] | "\(.key) \(.value[])"')
}

check_targets()
{
	local name arn found

	while read -r name arn; do
		found=$(aws elbv2 describe-target-health --target-group-arn "$arn" |
			jq -r '[.TargetHealthDescriptions[].TargetHealth.State] | "\(map(select(. == "healthy")) | length) \(length)"')
		[[ -n $found && ${found% *} == "${found#* }" && ${found% *} != 0 ]]
		ok_if $? "target group $name" "${found% *} of ${found#* } healthy"
	done < <(nat '.target_groups // {} | to_entries[] | "\(.key) \(.value)"')
}

# The newest value of 15 minutes. There is one a minute; no error is a 0, not silence.
check_metrics()
{
	local queries answer label found

	# shellcheck disable=SC2016 # these are variables of jq
	queries=$(nat '. as $nat | [.route_tables[]] | unique | [.[] as $zone |
		(["ActiveConnectionCount", "Maximum"], ["BytesOutToDestination", "Sum"], ["ErrorPortAllocation", "Sum"]) |
		{ Label: "\(.[0]) (\($zone))", MetricStat: { Period: 60, Stat: .[1], Metric: {
			Namespace: "NATXDP", MetricName: .[0], Dimensions: [
				{ Name: "NatId", Value: $nat.name }, { Name: "AvailabilityZone", Value: $zone }] } } }] |
		to_entries | map(.value + { Id: "m\(.key)" })')
	answer=$(aws cloudwatch get-metric-data --metric-data-queries "$queries" --scan-by TimestampDescending \
		--start-time "$(date -u -d '15 minutes ago' +%FT%TZ)" --end-time "$(date -u +%FT%TZ)")
	while read -r label; do
		found=$(jq -r --arg name "$label" '.MetricDataResults[] | select(.Label == $name) | .Values[0] // empty' \
			<<<"$answer")
		[[ -n $found && ($label != ErrorPortAllocation* || $found =~ ^0(\.0)?$) ]]
		ok_if $? "$label" "${found:-no value in 15 minutes}"
	done < <(jq -r '.[].Label' <<<"$queries")
}

# start COMMAND INSTANCE...: by Systems Manager. Prints the id of the command.
start()
{
	aws ssm send-command --document-name AWS-RunShellScript --instance-ids "${@:2}" \
		--parameters "$(jq -n --arg line "$1" '{commands: [$line]}')" | jq -r '.Command.CommandId // empty'
}

# finish ID INSTANCE: waits. Prints what the command said; its status is that of the command.
finish()
{
	local answer status deadline=$((SECONDS + PATIENCE))

	while [[ -n $1 ]] && ((SECONDS < deadline)); do
		answer=$(aws ssm get-command-invocation --command-id "$1" --instance-id "$2" 2>/dev/null) ||
			answer='{}' # a moment ago it was not known there yet
		status=$(jq -r '.Status // "Pending"' <<<"$answer")
		case $status in
		Success | Failed | Cancelled | TimedOut)
			jq -r '.StandardOutputContent + .StandardErrorContent' <<<"$answer"
			[[ $status == Success ]]
			return
			;;
		esac
		sleep 1
	done
	echo "no answer within $PATIENCE s"
	return 1
}

check_nodes()
{
	local node said id

	((${#nodes[@]})) || return
	id=$(start "natxdp verify --json" "${nodes[@]}")
	for node in "${nodes[@]}"; do
		said=$(finish "$id" "$node")
		ok_if $? "a packet through $node" "$(head -n 1 <<<"$said" | jq -r .result 2>/dev/null || echo "$said")"
	done
}

# What the internet sees has to be an address of the zone: in a failover they move with it.
check_egress()
{
	local zone probe said expected id probes

	mapfile -t probes < <(nat '.probes // {} | .[]')
	if [[ ${#probes[@]} == 0 ]]; then
		say WRONG "egress" "there are no probes to try it from: switch them on"
		return
	fi
	id=$(start "curl -sS --max-time 20 $CHECK_URL" "${probes[@]}")
	while read -r zone probe; do
		expected=$(nat ".public_ips[\"$zone\"] // [] | .[]")
		# addresses that change with the node are not known beforehand
		said=$(finish "$id" "$probe") && [[ -n $said ]] &&
			{ [[ -z $expected ]] || grep -qxF -e "$said" <<<"$expected"; }
		ok_if $? "egress from $zone" "seen as ${said:-nothing}${expected:+, expected ${expected//$'\n'/ or }}"
	done < <(nat '.probes | to_entries[] | "\(.key) \(.value)"')
}

main()
{
	local all

	[[ $# == 1 && $1 != -* ]] || { sed -n '4,14s/^# \{0,1\}//p' "$0" >&2; exit 2; }
	command -v jq >/dev/null || die "jq is missing"
	if [[ -n ${NAT_OUTPUTS-} ]]; then
		all=$(cat "$NAT_OUTPUTS") || exit 2
	else
		[[ -d $top/terraform/envs/$1 ]] || die "there is no terraform/envs/$1"
		all=$("$TF" -chdir="$top/terraform/envs/$1" output -json) || die "terraform has no outputs of $1"
	fi
	outputs=$(jq -e '.nat.value' <<<"$all") || die "$1 has not been applied: it has no output nat"
	region=$(jq -r '.region.value // empty' <<<"$all")
	nodes=()

	echo "NAT $(nat .name), mode $(nat .mode), ${region:-the region of the environment}"
	check_fleet
	check_routes
	check_interfaces
	check_addresses
	check_targets
	check_metrics
	check_nodes
	check_egress
	echo "$checked checks, $wrong wrong"
	((wrong == 0))
}

main "$@"
