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
      what = "Tries to reach targets from a node, and proves its data path."
      parameters = {
        targets = { type = "String", description = "host:port, with blanks between", allowedPattern = "^[A-Za-z0-9.-]+:[0-9]{1,5}( [A-Za-z0-9.-]+:[0-9]{1,5})*$" }
      }
      # All at a time; no curl: that of Amazon Linux speaks neither telnet nor plain TCP.
      commands = [
        "try() {",
        "  start=$(date +%s%N) us=0",
        "  timeout 3 bash -c ': <>\"/dev/tcp/$0/$1\"' \"$${1%:*}\" \"$${1##*:}\" 2>/dev/null && us=$(( ($(date +%s%N) - start) / 1000 ))",
        "  printf '%s %d.%06d\\n' \"$1\" $((us / 1000000)) $((us % 1000000))",
        "}",
        "for target in {{ targets }}; do try \"$target\" & done",
        "natxdp verify --json >/dev/null 2>&1",
        "echo \"natxdp $?\"",
        "wait",
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
