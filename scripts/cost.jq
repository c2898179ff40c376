# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# What a month costs: natxdp, and beside it what people use otherwise. Takes the
# list of prices, and $q, the question. Every amount is in the list's currency.

def month($hour): $hour * .hours;
def cents: . * 100 | round / 100;
def total: map(.amount) | add // 0;
def part($what; $amount): { what: $what, amount: $amount };

. as $p
| ($q.gb_out + $q.gb_in) as $gb
| ($p.instances[$q.instance] // error("there is no price of \($q.instance): there are \($p.instances | keys | join(", "))")) as $i
| ($i.hour * (($q.azs - $q.spot) + $q.spot * $p.spot.share_of_on_demand)) as $instances_hour
# Traffic of one zone, averaged over the month, times how much its busiest hour is above that.
| ($gb * 8 / ($p.hours * 3600) / $q.azs * $q.peak) as $gbps

| {
	natxdp: ([
		part("instances"; $p | month($instances_hour)),
		part("disks"; $q.azs * 8 * $p.ebs.gb),
		part("public addresses"; $p | month(.public_ipv4.hour * $q.azs * ($q.eips + (if $q.mode == "gwlb" then 0 else 1 end)))),
		(if $q.mode == "eni" then part("network load balancer"; $p | month(.nlb.hour)) else empty end),
		(if $q.mode == "gwlb" then
			part("gateway load balancer"; ($p | month(.gwlb.hour * $q.azs)) + $gb * $p.gwlb.gb),
			part("its endpoints"; ($p | month(.gwlb_endpoint.hour * $q.azs)) + $gb * $p.gwlb_endpoint.gb)
		else empty end),
		part("interface endpoints"; $p | month(.interface_endpoint.hour * $q.endpoints * $q.azs)),
		part("metrics"; $q.metrics * $q.azs * $p.cloudwatch.metric),
		part("alarms and dashboard"; $q.azs * ($q.alarms * $p.cloudwatch.alarm + $q.fast_alarms * $p.cloudwatch.fast_alarm + $p.cloudwatch.composite_alarm) + $p.cloudwatch.dashboard),
		(if $q.control_plane then part("health probe"; $p.hours * 3600 * 0.125 * $p.lambda.gb_second) else empty end),
		part("key"; $p.kms.key)
	]),
	"NAT gateway": [
		part("gateways"; $p | month(.nat_gateway.hour * $q.azs)),
		part("processing"; $gb * $p.nat_gateway.gb),
		part("public addresses"; $p | month(.public_ipv4.hour * $q.azs))
	],
	"fck-nat": [
		part("instances"; $p | month($instances_hour)),
		part("disks"; $q.azs * 8 * $p.ebs.gb),
		part("public addresses"; $p | month(.public_ipv4.hour * $q.azs))
	],
	alterNAT: [
		part("instances"; $p | month($instances_hour)),
		part("disks"; $q.azs * 8 * $p.ebs.gb),
		part("standby NAT gateways"; $p | month(.nat_gateway.hour * $q.azs)),
		part("public addresses"; $p | month(.public_ipv4.hour * $q.azs * 2)),
		part("interface endpoint"; $p | month(.interface_endpoint.hour * $q.azs)),
		part("health probe"; $p.hours * 3600 * 0.125 * $q.azs * $p.lambda.gb_second)
	]
} as $parts
| {
	question: $q,
	prices: { date: $p.date, region: $p.region, currency: $p.currency },
	same_for_all: { "internet out": ($q.gb_out * $p.internet_out.gb | cents) },
	cost: ($parts | map_values({ total: (total | cents), parts: map(.amount |= cents) })),
	saved: (($parts["NAT gateway"] | total) - ($parts.natxdp | total) | cents),
	# Where natxdp starts to be cheaper, in gigabytes a month: fixed costs against what a gigabyte saves.
	break_even_gb: (
		(if $q.mode == "gwlb" then $p.gwlb.gb + $p.gwlb_endpoint.gb else 0 end) as $per_gb
		| (($parts.natxdp | total) - $gb * $per_gb - (($parts["NAT gateway"] | total) - $gb * $p.nat_gateway.gb))
		| if . <= 0 then 0 else . / ($p.nat_gateway.gb - $per_gb) | ceil end
	),
	peak_gbps_per_zone: ($gbps * 1000 | round / 1000),
	warnings: [
		(if $gbps > $i.gbps then "\($q.instance) carries \($i.gbps) Gbit/s for long, and a zone's busiest hour has \($gbps * 100 | round / 100): take a larger one, or gwlb mode" else empty end),
		(if $q.spot >= $q.azs then "every node is Spot: module nat refuses that" else empty end)
	]
}
