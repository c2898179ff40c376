#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# cost.sh [OPTION...]: what a month of natxdp costs, beside a NAT gateway,
# fck-nat and alterNAT, by a dated list of prices.
#
#   --out GB        to the internet in a month, all zones (5000)
#   --in GB         from the internet (5000)
#   --azs N         availability zones, a node in each (3)
#   --instance T    instance type of the nodes (c7gn.medium)
#   --mode M        eni, eip or gwlb (eip)
#   --spot N        zones whose node is Spot (0)
#   --eips N        Elastic IPs of a zone (1)
#   --endpoints N   interface endpoints, in every zone (0)
#   --peak X        busiest hour as a multiple of the average (4)
#   --no-control-plane  without the functions of module lambda
#   --prices FILE   another list than scripts/prices.json
#   --json          as JSON
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)

die()
{
	echo "cost: $*" >&2
	exit 2
}

# Metrics that a node sends by default and that are billed, from the list itself.
metrics()
{
	grep -cE '^[[:space:]]*METRIC\([A-Z0-9_]+, "[A-Za-z]+", [A-Z_]+, [A-Z]+, NAT, BASIC, (AGENT|HA|LAMBDA),' \
		"$here/../agent/metric_list.h"
}

# Prints the answer for people.
show()
{
	jq -r '
		def money: "\(. * 100 | round | tostring | if length < 3 then ("000" + .)[-3:] else . end | .[:-2] + "." + .[-2:])";
		def left($n): . + " " * ([0, $n - length] | max);
		def right($n): " " * ([0, $n - length] | max) + .;
		"prices of \(.prices.date), \(.prices.region), \(.prices.currency) a month",
		"\(.question.gb_out) GB out, \(.question.gb_in) GB in, \(.question.azs) zones, \(.question.instance), \(.question.mode)",
		"",
		(.cost | to_entries[] | (.key | left(24)) + (.value.total | money | right(12))),
		"",
		"natxdp is made up of",
		(.cost.natxdp.parts[] | "  " + (.what | left(22)) + (.amount | money | right(12))),
		"",
		"saved against NAT gateway" + (.saved | money | right(11)),
		"cheaper from \(.break_even_gb) GB a month on; to the internet, \(.same_for_all["internet out"] | money) with any of them",
		(.warnings[] | "warning: " + .)'
}

out=5000 in=5000 azs=3 instance=c7gn.medium mode=eip spot=0 eips=1 endpoints=0 peak=4
control_plane=true prices=$here/prices.json json=
while [[ $# -gt 0 ]]; do
	case $1 in
	--no-control-plane) control_plane=false ;;
	--json) json=1 ;;
	--help) sed -n '4,19s/^# \{0,1\}//p' "$0" && exit ;;
	--out | --in | --azs | --instance | --mode | --spot | --eips | --endpoints | --peak | --prices)
		[[ $# -ge 2 ]] || die "$1 needs a value"
		declare "${1#--}=$2"
		shift
		;;
	*) die "there is no option $1; --help lists them" ;;
	esac
	shift
done

for number in out in azs spot eips endpoints peak; do
	[[ ${!number} =~ ^[0-9]+(\.[0-9]+)?$ ]] || die "--$number must be a number, not ${!number}"
done
[[ $azs =~ ^[1-6]$ ]] || die "--azs must be 1 to 6"
[[ $mode =~ ^(eni|eip|gwlb)$ ]] || die "--mode must be eni, eip or gwlb"
[[ -r $prices ]] || die "there is no list of prices $prices"

question=$(jq -n --argjson out "$out" --argjson in "$in" --argjson azs "$azs" --arg instance "$instance" \
	--arg mode "$mode" --argjson spot "$spot" --argjson eips "$eips" --argjson endpoints "$endpoints" \
	--argjson peak "$peak" --argjson control_plane "$control_plane" --argjson metrics "$(metrics)" \
	'{ gb_out: $out, gb_in: $in, azs: $azs, instance: $instance, mode: $mode, spot: $spot, eips: $eips,
	   endpoints: $endpoints, peak: $peak, control_plane: $control_plane, metrics: $metrics }')

# Of a zone, by metric: that of drops has three. NATReachability is looked at every 10 seconds.
question=$(jq '. + if .control_plane then { alarms: 20, fast_alarms: 2 } else { alarms: 17, fast_alarms: 0 } end' <<<"$question")

answer=$(jq --argjson q "$question" -f "$here/cost.jq" "$prices") || die "no answer"
if [[ -n $json ]]; then
	echo "$answer"
else
	show <<<"$answer"
fi
