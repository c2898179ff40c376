# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""DynamoDB's expressions, as far as leases need them.

  condition  or, and, not, ( ), = <> < <= > >=, attribute_exists(a),
             attribute_not_exists(a), begins_with(a, b)
  update     SET a = b, a = b + c, a = if_not_exists(a, b); REMOVE a; in any order
"""

import re
from decimal import Decimal

from .world import ApiError

TOKEN = re.compile(r"\s*(<=|>=|<>|[=<>(),+-]|[#:]?[A-Za-z_][A-Za-z0-9_]*)")
COMPARE = {"=": lambda a, b: a == b, "<>": lambda a, b: a != b, "<": lambda a, b: a < b,
           "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b}


def invalid(text):
    return ApiError("ValidationException", f"Invalid expression: {text}")


class Reader:
    def __init__(self, text, item, params):
        self.tokens = []
        position = 0
        while text[position:].strip():
            match = TOKEN.match(text, position)
            if not match:
                raise invalid(text[position:])
            self.tokens.append(match[1])
            position = match.end()
        self.item = item
        self.names = params.get("ExpressionAttributeNames", {})
        self.values = params.get("ExpressionAttributeValues", {})

    def peek(self):
        return self.tokens[0] if self.tokens else ""

    def next(self, expected=None):
        if not self.tokens or (expected and self.tokens[0].upper() != expected):
            raise invalid(f"{expected or 'more'} expected, not {self.peek()!r}")
        return self.tokens.pop(0)

    def name(self):
        token = self.next()
        if token.startswith("#"):
            if token not in self.names:
                raise invalid(f"{token} is not in ExpressionAttributeNames")
            return self.names[token]
        return token

    def operand(self):
        """A typed value as {"S": ...}, or None if the attribute is not there."""
        if self.peek().startswith(":"):
            token = self.next()
            if token not in self.values:
                raise invalid(f"{token} is not in ExpressionAttributeValues")
            return self.values[token]
        if self.peek() == "if_not_exists":
            self.next()
            self.next("(")
            have = self.item.get(self.name())
            self.next(",")
            otherwise = self.operand()
            self.next(")")
            return otherwise if have is None else have
        return self.item.get(self.name())

    def either(self):
        result = self.both()
        while self.peek().upper() == "OR":
            self.next()
            result = self.both() or result
        return result

    def both(self):
        result = self.single()
        while self.peek().upper() == "AND":
            self.next()
            result = self.single() and result
        return result

    def single(self):
        if self.peek().upper() == "NOT":
            self.next()
            return not self.single()
        if self.peek() == "(":
            self.next()
            result = self.either()
            self.next(")")
            return result
        if self.peek() in ("attribute_exists", "attribute_not_exists", "begins_with"):
            return self.function(self.next())
        left, sign, right = self.operand(), self.next(), self.operand()
        if sign not in COMPARE:
            raise invalid(sign)
        return compare(left, sign, right)

    def function(self, name):
        self.next("(")
        have = self.item.get(self.name())
        result = (have is not None) == (name == "attribute_exists")
        if name == "begins_with":
            self.next(",")
            result = have is not None and have["S"].startswith(self.operand()["S"])
        self.next(")")
        return result


def compare(left, sign, right):
    if left is None or right is None:
        return False
    (left_type, a), (right_type, b) = next(iter(left.items())), next(iter(right.items()))
    if left_type != right_type:
        return sign == "<>"
    if left_type == "N":
        a, b = Decimal(a), Decimal(b)
    return COMPARE[sign](a, b)


def holds(text, item, params):
    reader = Reader(text, item, params)
    result = reader.either()
    if reader.tokens:
        raise invalid(" ".join(reader.tokens))
    return result


def update(text, item, params):
    """Changes @item. All operands are read from what it was before."""
    reader = Reader(text, dict(item), params)
    while reader.tokens:
        clause = reader.next().upper()
        if clause not in ("SET", "REMOVE"):
            raise invalid(clause)
        while True:
            name = reader.name()
            if clause == "REMOVE":
                item.pop(name, None)
            else:
                reader.next("=")
                item[name] = value(reader)
            if reader.peek() != ",":
                break
            reader.next()


def value(reader):
    result = reader.operand()
    if reader.peek() in ("+", "-"):
        sign, other = reader.next(), reader.operand()
        if result is None or other is None or "N" not in result or "N" not in other:
            raise invalid("operands of + and - are numbers")
        a, b = Decimal(result["N"]), Decimal(other["N"])
        return {"N": str(a + b if sign == "+" else a - b)}
    if result is None:
        raise invalid("an attribute that is not in the item")
    return result
