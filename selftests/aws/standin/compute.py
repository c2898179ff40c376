# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""EC2: instances, interfaces, routes and addresses.

World: instances   id -> {state, zone, subnet, type, tags, status: {system, instance}, events}
       interfaces  id -> {instance, subnet, zone, addresses: [ip...], source_dest_check, tags}
       route_tables id -> {vpc, subnets: [..], routes: {cidr: {kind: id}}, tags}
       addresses   allocation id -> {public_ip, association, interface, private_address, tags}
"""

import fnmatch
import time

from .world import ApiError, page

ACTIONS = {}
VPC = "vpc-00000000000000001"
LAUNCHED = 1767225600  # 2026-01-01
TARGETS = ("NetworkInterfaceId", "InstanceId", "GatewayId", "NatGatewayId", "VpcEndpointId")


def action(function):
    name = "".join(part.capitalize() for part in function.__name__.split("_"))
    ACTIONS[("ec2", name)] = function
    return function


def tags(item):
    return [{"Key": key, "Value": value} for key, value in item.get("tags", {}).items()]


def chosen(items, params, ids, code, fields):
    """The pairs (id, item) that ids and filters of a Describe call leave."""
    wanted = params.get(ids, [])
    for name in wanted:
        if name not in items:
            raise ApiError(code, f"The ID '{name}' does not exist")
    found = [(name, item) for name, item in items.items() if not wanted or name in wanted]
    for condition in params.get("Filters", []):
        name, values = condition["Name"], condition.get("Values", [])
        if not name.startswith("tag:") and name not in fields:
            raise ApiError("InvalidParameterValue", f"The filter '{name}' is invalid")
        field = fields.get(name) or (lambda key, item, tag=name[4:]: [item.get("tags", {}).get(tag)])
        found = [(key, item) for key, item in found
                 if any(fnmatch.fnmatchcase(str(have), value)
                        for have in field(key, item) if have is not None for value in values)]
    return found


def one(name):
    return lambda key, item: [item.get(name)]


def public_of(world, interface, address):
    for allocation, item in world.addresses.items():
        if item.get("interface") == interface and item.get("private_address") == address:
            return allocation, item
    return None, None


def interface_view(world, name, item):
    addresses = []
    for index, address in enumerate(item["addresses"]):
        view = {"PrivateIpAddress": address, "Primary": index == 0}
        allocation, public = public_of(world, name, address)
        if public:
            view["Association"] = {"AllocationId": allocation, "PublicIp": public["public_ip"],
                                   "AssociationId": public["association"]}
        addresses.append(view)
    view = {"NetworkInterfaceId": name, "SubnetId": item["subnet"], "VpcId": VPC,
            "AvailabilityZone": item["zone"], "Description": item.get("description", ""),
            "Status": "in-use" if item.get("instance") else "available",
            "PrivateIpAddress": item["addresses"][0], "PrivateIpAddresses": addresses,
            "SourceDestCheck": item.get("source_dest_check", True), "TagSet": tags(item)}
    if item.get("instance"):
        view["Attachment"] = {"AttachmentId": "eni-attach-" + name[4:], "Status": "attached",
                              "InstanceId": item["instance"], "DeviceIndex": 0}
    return view


@action
def describe_network_interfaces(world, params):
    fields = {"subnet-id": one("subnet"), "attachment.instance-id": one("instance"),
              "status": lambda key, item: ["in-use" if item.get("instance") else "available"],
              "network-interface-id": lambda key, item: [key]}
    found = chosen(world.interfaces, params, "NetworkInterfaceIds",
                   "InvalidNetworkInterfaceID.NotFound", fields)
    items, token = page([interface_view(world, *pair) for pair in found], params)
    return {"NetworkInterfaces": items, "NextToken": token}


def instance_view(world, name, item):
    interfaces = [interface_view(world, key, inner) for key, inner in world.interfaces.items()
                  if inner.get("instance") == name]
    for view in interfaces:
        view.pop("TagSet")
        view.pop("AvailabilityZone")
        for address in view["PrivateIpAddresses"]:
            if "Association" in address:
                address["Association"] = {"PublicIp": address["Association"]["PublicIp"]}
        view["Attachment"].pop("InstanceId")
    view = {"InstanceId": name, "InstanceType": item.get("type", "c7gn.large"),
            "LaunchTime": LAUNCHED, "Placement": {"AvailabilityZone": item["zone"]},
            "State": {"Code": 16, "Name": item.get("state", "running")},
            "SubnetId": item["subnet"], "VpcId": VPC, "NetworkInterfaces": interfaces,
            "SourceDestCheck": item.get("source_dest_check", True), "Tags": tags(item)}
    if interfaces:
        view["PrivateIpAddress"] = interfaces[0]["PrivateIpAddress"]
    return view


INSTANCE_FIELDS = {"instance-state-name": lambda key, item: [item.get("state", "running")],
                   "availability-zone": one("zone"), "subnet-id": one("subnet")}


def interfaces_of(world):
    return lambda key, item: [name for name, inner in world.interfaces.items()
                              if inner.get("instance") == key]


@action
def describe_instances(world, params):
    fields = {**INSTANCE_FIELDS, "network-interface.network-interface-id": interfaces_of(world)}
    found = chosen(world.instances, params, "InstanceIds", "InvalidInstanceID.NotFound", fields)
    items, token = page([instance_view(world, *pair) for pair in found], params)
    return {"Reservations": [{"ReservationId": "r-" + item["InstanceId"][2:], "Instances": [item]}
                             for item in items], "NextToken": token}


@action
def describe_instance_status(world, params):
    found = chosen(world.instances, params, "InstanceIds", "InvalidInstanceID.NotFound",
                   INSTANCE_FIELDS)
    if not params.get("IncludeAllInstances"):
        found = [(key, item) for key, item in found if item.get("state", "running") == "running"]
    items = []
    for key, item in found:
        status = item.get("status", {})
        items.append({
            "InstanceId": key, "AvailabilityZone": item["zone"],
            "InstanceState": {"Code": 16, "Name": item.get("state", "running")},
            "SystemStatus": {"Status": status.get("system", "ok")},
            "InstanceStatus": {"Status": status.get("instance", "ok")},
            "Events": [{"Code": "instance-reboot", "Description": text}
                       for text in item.get("events", [])]})
    items, token = page(items, params)
    return {"InstanceStatuses": items, "NextToken": token}


def route_view(world, cidr, route):
    kind, target = next(iter(route.items()))
    state = "active"
    if kind == "NetworkInterfaceId" and not world.interfaces.get(target, {}).get("instance"):
        state = "blackhole"
    kind = "GatewayId" if kind == "VpcEndpointId" else kind
    where = "DestinationIpv6CidrBlock" if ":" in cidr else "DestinationCidrBlock"
    return {where: cidr, kind: target, "State": state, "Origin": "CreateRoute"}


@action
def describe_route_tables(world, params):
    fields = {"vpc-id": lambda key, item: [VPC], "route-table-id": lambda key, item: [key],
              "association.subnet-id": lambda key, item: item.get("subnets", [])}
    found = chosen(world.route_tables, params, "RouteTableIds", "InvalidRouteTableID.NotFound",
                   fields)
    items = [{"RouteTableId": key, "VpcId": VPC, "Tags": tags(item),
              "Associations": [{"Main": False, "RouteTableId": key, "SubnetId": subnet,
                                "RouteTableAssociationId": "rtbassoc-" + subnet[7:]}
                               for subnet in item.get("subnets", [])],
              "Routes": [route_view(world, *pair) for pair in item["routes"].items()]}
             for key, item in found]
    items, token = page(items, params)
    return {"RouteTables": items, "NextToken": token}


def route_of(world, params):
    table = world.find("route_tables", params["RouteTableId"], "InvalidRouteTableID.NotFound")
    cidr = params.get("DestinationCidrBlock") or params.get("DestinationIpv6CidrBlock")
    given = [(kind, params[kind]) for kind in TARGETS if kind in params]
    if len(given) != 1 or not cidr:
        raise ApiError("InvalidParameterCombination", "one destination and one target are needed")
    if given[0][0] == "NetworkInterfaceId":
        world.find("interfaces", given[0][1], "InvalidNetworkInterfaceID.NotFound")
    return table["routes"], cidr, dict(given)


@action
def replace_route(world, params):
    routes, cidr, route = route_of(world, params)
    if cidr not in routes:
        raise ApiError("InvalidParameterValue", f"There is no route defined for '{cidr}'")
    routes[cidr] = route
    return {}


@action
def create_route(world, params):
    routes, cidr, route = route_of(world, params)
    if cidr in routes:
        raise ApiError("RouteAlreadyExists", f"The route identified by {cidr} already exists.")
    routes[cidr] = route
    return {"Return": True}


@action
def describe_addresses(world, params):
    fields = {"public-ip": one("public_ip"), "network-interface-id": one("interface"),
              "association-id": one("association"), "allocation-id": lambda key, item: [key]}
    found = chosen(world.addresses, params, "AllocationIds", "InvalidAllocationID.NotFound", fields)
    views = []
    for key, item in found:
        view = {"AllocationId": key, "PublicIp": item["public_ip"], "Domain": "vpc",
                "Tags": tags(item)}
        if item.get("association"):
            instance = world.interfaces.get(item["interface"], {}).get("instance")
            view.update(AssociationId=item["association"], NetworkInterfaceId=item["interface"],
                        PrivateIpAddress=item["private_address"], InstanceId=instance)
        views.append(view)
    return {"Addresses": views}


@action
def associate_address(world, params):
    address = world.find("addresses", params["AllocationId"], "InvalidAllocationID.NotFound")
    interface = world.find("interfaces", params["NetworkInterfaceId"],
                           "InvalidNetworkInterfaceID.NotFound")
    private = params.get("PrivateIpAddress") or interface["addresses"][0]
    if private not in interface["addresses"]:
        raise ApiError("InvalidParameterValue", f"{private} is not an address of the interface")
    here = (params["NetworkInterfaceId"], private)
    if (address.get("interface"), address.get("private_address")) != here:
        _, other = public_of(world, *here)
        if not params.get("AllowReassociation", True) and (address.get("association") or other):
            raise ApiError("Resource.AlreadyAssociated", "resource is already associated")
        if other:
            other.update(association=None, interface=None, private_address=None)
        address.update(association=world.new_id("eipassoc"), interface=here[0],
                       private_address=private)
    return {"AssociationId": address["association"]}


@action
def disassociate_address(world, params):
    for address in world.addresses.values():
        if address.get("association") == params.get("AssociationId"):
            address.update(association=None, interface=None, private_address=None)
            return {}
    raise ApiError("InvalidAssociationID.NotFound", "The association ID does not exist")


@action
def release_address(world, params):
    address = world.find("addresses", params["AllocationId"], "InvalidAllocationID.NotFound")
    if address.get("association"):
        raise ApiError("InvalidIPAddress.InUse", "The address is in use")
    del world.addresses[params["AllocationId"]]
    return {}


@action
def delete_network_interface(world, params):
    name = params["NetworkInterfaceId"]
    item = world.find("interfaces", name, "InvalidNetworkInterfaceID.NotFound")
    if item.get("instance"):
        raise ApiError("InvalidNetworkInterface.InUse", f"Interface: [{name}] in use.")
    del world.interfaces[name]
    return {}


@action
def assign_private_ip_addresses(world, params):
    name = params["NetworkInterfaceId"]
    item = world.find("interfaces", name, "InvalidNetworkInterfaceID.NotFound")
    for address in params.get("PrivateIpAddresses", []):
        holder = next((other for other in world.interfaces.values()
                       if address in other["addresses"]), None)
        if holder is not None and holder is not item:
            if not params.get("AllowReassignment"):
                raise ApiError("PrivateIpAddressInUse", f"{address} is already assigned")
            holder["addresses"].remove(address)
        if address not in item["addresses"]:
            item["addresses"].append(address)
    return {"NetworkInterfaceId": name,
            "AssignedPrivateIpAddresses": [{"PrivateIpAddress": address} for address
                                           in params.get("PrivateIpAddresses", [])]}


@action
def modify_instance_attribute(world, params):
    item = world.find("instances", params["InstanceId"], "InvalidInstanceID.NotFound")
    on = params["SourceDestCheck"]["Value"]
    item["source_dest_check"] = on
    for interface in world.interfaces.values():
        if interface.get("instance") == params["InstanceId"]:
            interface["source_dest_check"] = on
    return {}


@action
def modify_network_interface_attribute(world, params):
    item = world.find("interfaces", params["NetworkInterfaceId"],
                      "InvalidNetworkInterfaceID.NotFound")
    item["source_dest_check"] = params["SourceDestCheck"]["Value"]
    return {}


@action
def create_tags(world, params):
    for name in params["Resources"]:
        for kind in (world.instances, world.interfaces, world.addresses, world.route_tables):
            if name in kind:
                kind[name].setdefault("tags", {}).update(
                    {tag["Key"]: tag["Value"] for tag in params["Tags"]})
                break
        else:
            raise ApiError("InvalidID", f"The ID '{name}' is not valid")
    return {}


@action
def terminate_instances(world, params):
    changes = []
    for name in params["InstanceIds"]:
        item = world.find("instances", name, "InvalidInstanceID.NotFound")
        before, item["state"] = item.get("state", "running"), "shutting-down"
        item["terminated"] = time.time()
        changes.append({"InstanceId": name, "PreviousState": {"Code": 16, "Name": before},
                        "CurrentState": {"Code": 32, "Name": "shutting-down"}})
    return {"TerminatingInstances": changes}
