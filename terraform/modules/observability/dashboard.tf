# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# One dashboard for whoever is on call: alarms on top, then traffic, then what
# runs short, then take-overs.

locals {
  # Rows of the dashboard: titles, and the metrics of a graph, a line a zone.
  graphs = concat(
    [
      { title = "Health", stat = "Minimum", metrics = concat(["NodeHealthy"], var.control_plane ? ["NATReachability"] : []) },
      { title = "Connections", stat = "Maximum", metrics = ["ActiveConnectionCount"] },
      { title = "Attempts and handshakes", stat = "Sum", metrics = ["ConnectionAttemptCount", "ConnectionEstablishedCount"] },
      { title = "Bytes from and to the inside", stat = "Sum", metrics = ["BytesInFromSource", "BytesOutToSource"] },
      { title = "Bytes to and from the outside", stat = "Sum", metrics = ["BytesOutToDestination", "BytesInFromDestination"] },
      { title = "Packets from and to the inside", stat = "Sum", metrics = ["PacketsInFromSource", "PacketsOutToSource"] },
      { title = "Packets to and from the outside", stat = "Sum", metrics = ["PacketsOutToDestination", "PacketsInFromDestination"] },
      { title = "Peaks", stat = "Maximum", metrics = ["PeakBytesPerSecond", "PeakPacketsPerSecond"] },
      { title = "New flows a second", stat = "Maximum", metrics = ["PeakNewFlowsPerSecond"] },
      { title = "Drops and errors", stat = "Sum", metrics = ["PacketsDropCount", "ErrorPortAllocation", "IdleTimeoutCount"] },
      { title = "Table and ports in percent", stat = "Maximum", metrics = ["FlowTableUse", "PortUse"] },
      { title = "Busiest CPU in percent", stat = "Maximum", metrics = ["SoftirqUse"] },
      { title = "EC2 throttles", stat = "Sum", metrics = ["BandwidthInAllowanceExceeded", "BandwidthOutAllowanceExceeded", "PpsAllowanceExceeded", "ConntrackAllowanceExceeded", "LinklocalAllowanceExceeded"] },
      { title = "Take-overs", stat = "Sum", metrics = ["FailoverCount", "HandoverCount", "FailoverErrorCount"] },
      { title = "Duration of take-overs", stat = "Maximum", metrics = ["FailoverDurationMs"] },
      { title = "Replication", stat = "Maximum", metrics = ["SyncLagMs", "SyncLagFlows"] },
      { title = "Zones and peers of a node", stat = "Minimum", metrics = ["OwnedZoneCount", "SyncPeerCount"] },
      { title = "Records and values lost", stat = "Sum", metrics = ["FlowRecordLostCount", "MetricDataLostCount"] },
    ],
    var.control_plane ? [
      { title = "Latency of the probes", stat = "Average", metrics = ["Latency", "ProbeLatency"] },
      { title = "Synthetic traffic", stat = "Average", metrics = ["ProbeSuccess", "ProbeThroughput"] },
      { title = "Control plane", stat = "Sum", metrics = ["RouteFailoverCount", "EipRecoverCount", "LifecycleFailureCount", "JanitorRemovedCount", "FunctionErrorCount"] },
      { title = "Drift and isolation", stat = "Maximum", metrics = ["ConfigDriftCount", "IsolatedAddressCount"] },
    ] : [],
  )
  alarm_rows = 1 + ceil(length(var.azs) * length(local.kinds) / 8)
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    periodOverride = "inherit"
    widgets = concat(
      [{
        type = "alarm", x = 0, y = 0, width = 24, height = local.alarm_rows
        properties = {
          title = "Alarms"
          alarms = concat(
            [for alarm in aws_cloudwatch_composite_alarm.zone : alarm.arn],
            [for alarm in aws_cloudwatch_metric_alarm.zone : alarm.arn],
            [for alarm in aws_cloudwatch_metric_alarm.drops : alarm.arn],
          )
        }
      }],
      [for index, graph in local.graphs : {
        type = "metric", x = index % 3 * 8, y = local.alarm_rows + floor(index / 3) * 6, width = 8, height = 6
        properties = {
          title  = graph.title
          region = local.region
          view   = "timeSeries"
          stat   = graph.stat
          period = 60
          metrics = [
            for pair in setproduct(graph.metrics, var.azs) :
            [local.namespace, pair[0], "NatId", var.name, "AvailabilityZone", pair[1], { label = length(graph.metrics) > 1 ? join(" ", pair) : pair[1] }]
          ]
        }
      }],
      [{
        type = "log", x = 0, y = local.alarm_rows + ceil(length(local.graphs) / 3) * 6, width = 24, height = 8
        properties = {
          title  = "Who sends most"
          region = local.region
          view   = "table"
          query  = "SOURCE '${var.flow_log_group}' | ${local.insights.top-sources}"
        }
      }],
    )
  })
}

locals {
  # Fields of the agent's flow records: agent/record.c.
  insights = {
    top-sources      = "filter event = 'close' | stats sum(bytes_out + bytes_in) as bytes, count(*) as flows by source | sort bytes desc | limit 20"
    top-destinations = "filter event = 'close' | stats sum(bytes_out + bytes_in) as bytes, count(*) as flows by destination, destination_port | sort bytes desc | limit 20"
    idle-connections = "filter event = 'close' and protocol = 'tcp' and reason = 'idle' | stats count(*) as flows by source, destination | sort flows desc | limit 20"
    no-answer        = "filter event = 'close' and packets_in = 0 | stats count(*) as flows by source, destination, destination_port | sort flows desc | limit 20"
  }
}

resource "aws_cloudwatch_query_definition" "flows" {
  for_each = local.insights

  name            = "natxdp/${var.name}/${each.key}"
  log_group_names = [var.flow_log_group]
  query_string    = replace(each.value, " | ", "\n| ")
}
