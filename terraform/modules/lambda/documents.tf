# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# What functions may have nodes do, a document each: a role that may send one of
# these can send nothing else.

locals {
  documents = {
    verify = {
      what       = "Proves the data path of a node."
      parameters = {}
      commands   = ["natxdp verify --json"]
    }
    reach = {
      what = "Tries to reach targets from a node."
      parameters = {
        targets = { type = "String", description = "host:port, with blanks between", allowedPattern = "^[A-Za-z0-9.-]+:[0-9]{1,5}( [A-Za-z0-9.-]+:[0-9]{1,5})*$" }
      }
      commands = [
        "for target in {{ targets }}; do",
        "  curl --silent --output /dev/null --connect-timeout 3 --max-time 5 --write-out \"$target %%{time_connect} %%{http_code}\\n\" \"telnet://$target\" </dev/null || true",
        "done",
      ]
    }
    repair = {
      what       = "Restarts the units of a node, and proves its data path."
      parameters = {}
      commands   = ["systemctl restart natxdp.service natxdpd.service", "natxdp verify --json"]
    }
    drain = {
      what       = "Hands over the zones of a node."
      parameters = {}
      commands   = ["natxdpd drain"]
    }
    block = {
      what = "Blocks an inside address on a node, or lets it through again."
      parameters = {
        verb    = { type = "String", description = "add or del", allowedValues = ["add", "del"] }
        address = { type = "String", description = "IPv4 address", allowedPattern = "^[0-9]{1,3}(\\.[0-9]{1,3}){3}$" }
      }
      commands = ["natxdp block {{ verb }} {{ address }}"]
    }
  }
}

resource "aws_ssm_document" "node" {
  for_each = local.documents

  name            = "${local.name}-${each.key}"
  document_type   = "Command"
  document_format = "JSON"
  target_type     = "/AWS::EC2::Instance"
  tags            = local.tags

  content = jsonencode({
    schemaVersion = "2.2"
    description   = each.value.what
    parameters    = each.value.parameters
    mainSteps = [{
      action = "aws:runShellScript"
      name   = each.key
      inputs = { timeoutSeconds = "60", runCommand = each.value.commands }
    }]
  })
}
