#!/usr/bin/env python3
"""Writes the C, C++ and Swift sides of the tensor operations in scripts/ops.txt.

    scripts/generate-ops.py           write the files
    scripts/generate-ops.py --check   fail if a checked-in file differs from what would be written
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = ROOT / "scripts" / "ops.txt"
HEADER = ROOT / "Sources/C/Torch/include/Generated/operations.h"
CPP = ROOT / "Sources/C/Torch/Generated"
SWIFT = ROOT / "Sources/ConcordTensor/Generated"
NOTICE = "// Written by scripts/generate-ops.py from scripts/ops.txt. Change the table, not this file.\n"
WIDTH = 120
KEYWORDS = {"where", "repeat", "in", "is", "as"}


def split_arguments(text):
    """Splits at top-level commas."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += character in "([{"
        depth -= character in ")]}"
        if character == "," and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    return [part.strip() for part in parts + [text[start:]] if part.strip()]


# Operations that autocast runs in low precision; `product.h` says what happens where that is slow.
PRODUCTS = {"linear", "matmul", "addmm", "baddbmm", "conv1d", "conv2d", "scaled_dot_product_attention"}


class Argument:
    """One argument of an aten schema."""

    def __init__(self, text):
        text = re.sub(r"\(\w!?( -> \*)?\)", "", text)
        declaration, _, default = text.partition("=")
        self.type, self.name = declaration.strip().rsplit(" ", 1)
        self.default = default or None
        self.is_array = self.type.rstrip("?").endswith("]")
        self.base = re.sub(r"\[.*?\]|\?", "", self.type)
        self.is_optional = self.type.endswith("?")
        self.is_tensor = self.base == "Tensor"

    @property
    def c_name(self):
        return self.name + "_" if self.name in {"self", "from", "n", "k", "p"} else self.name

    def c_parameters(self):
        name = self.c_name
        if self.is_tensor:
            if self.is_array:
                return [f"ctorch_tensor *const *{name}", f"intptr_t {name}_count"]
            return [f"ctorch_tensor *{name}"]
        if self.base in ("int", "SymInt"):
            if self.is_array:
                return [f"const intptr_t *{name}", f"intptr_t {name}_count"]
            return [f"intptr_t {name}"] + ([f"bool has_{name}"] if self.is_optional else [])
        if self.base in ("float", "Scalar"):
            return [f"double {name}"] + ([f"bool has_{name}"] if self.is_optional else [])
        return {
            "bool": [f"bool {name}"],
            "ScalarType": [f"int32_t {name}"],
            "Device": [f"ctorch_device {name}"],
            "Generator": [f"ctorch_generator *{name}"],
        }[self.base]

    def cpp_value(self):
        name = self.c_name
        if self.is_tensor:
            if self.is_array:
                return f"InList({name}, {name}_count)"
            return f"InOptional({name})" if self.is_optional else f"In({name})"
        symbolic = self.base == "SymInt"
        if self.base in ("int", "SymInt"):
            if self.is_array:
                if self.is_optional:
                    return f"optionalInts({name}, {name}_count)"
                return f"{'symInts' if symbolic else 'ints'}({name}, {name}_count)"
            if self.is_optional:
                return f"{'optionalSymInt' if symbolic else 'optionalInt'}({name}, has_{name})"
            return name
        if self.base in ("float", "Scalar"):
            function = "scalar" if self.base == "Scalar" else "real"
            if self.is_optional:
                return f"optional{function.capitalize()}({name}, has_{name})"
            return f"scalar({name})" if self.base == "Scalar" else name
        return {
            "bool": name,
            "ScalarType": f"ctorch::dtype({name})",
            "Device": f"ctorch::device({name})",
            "Generator": f"InGenerator({name})",
        }[self.base]

    def cpp_default(self):
        fixed = {
            "None": "std::nullopt", "True": "true", "False": "false", "Mean": "at::Reduction::Mean",
            "long": "at::kLong", "contiguous_format": "at::MemoryFormat::Contiguous",
        }
        value = self.default
        if value is None:
            raise SystemExit(f"argument {self.name} has no default; give it a value or expose it")
        if value.startswith(("'", '"')):
            return f'"{value[1:-1]}"'
        if self.is_array and value == "[]":
            return "c10::SymIntArrayRef{}" if self.base == "SymInt" else "at::IntArrayRef{}"
        return fixed.get(value, value)


class SwiftParameter:
    """A parameter of the Swift method and the aten argument it fills."""

    def __init__(self, text, arguments):
        declaration, _, default = (part.strip() for part in text.partition("="))
        names, _, aten = (part.strip() for part in declaration.partition(":"))
        words = names.split()
        self.label, self.name = words if len(words) == 2 else (words[0], words[0])
        self.argument = arguments[aten or self.name]
        self.default = default or None

    @property
    def is_optional(self):
        argument = self.argument
        if argument.is_tensor:
            return argument.is_optional
        if argument.base == "Generator":
            return True
        if argument.base in ("ScalarType", "Device"):
            return False
        if argument.is_array:
            return argument.is_optional and self.default == "nil"
        return argument.is_optional and (self.default == "nil" or self.default is None)

    @property
    def swift_type(self):
        argument = self.argument
        if argument.name == "reduction":
            base = "Reduction"
        else:
            base = {
                "Tensor": "Tensor", "int": "Int", "SymInt": "Int", "float": "Double", "Scalar": "Double",
                "bool": "Bool", "ScalarType": "DType", "Device": "Device", "Generator": "Generator",
            }[argument.base]
        if argument.is_array:
            base = f"[{base}]"
        return base + ("?" if self.is_optional else "")

    def declaration(self):
        names = self.name if self.label == self.name else f"{self.label} {self.name}"
        return f"{names}: {self.swift_type}" + (f" = {self.default}" if self.default else "")

    def c_values(self):
        argument, name = self.argument, self.name
        if argument.is_tensor:
            if argument.is_array:
                return [f"handles({name})", f"{name}.count"]
            return [f"{name}?.handle" if self.is_optional else f"{name}.handle"]
        if argument.name == "reduction":
            return [f"{name}.rawValue"]
        if argument.base in ("int", "SymInt") and argument.is_array:
            return [name, f"{name}?.count ?? -1" if self.is_optional else f"{name}.count"]
        if argument.base in ("int", "SymInt", "float", "Scalar"):
            if not argument.is_optional:
                return [name]
            return [f"{name} ?? 0", f"{name} != nil"] if self.is_optional else [name, "true"]
        return {
            "bool": [name],
            "ScalarType": [f"{name}.code"],
            "Device": [f"{name}.cValue"],
            "Generator": [f"{name}?.handle"],
        }[argument.base]

    def attribute(self):
        argument, name = self.argument, self.name
        case = {
            "int": "int", "SymInt": "int", "float": "double", "Scalar": "double", "bool": "bool",
            "ScalarType": "dtype", "Device": "device", "Generator": "generator",
        }[argument.base]
        if argument.is_array:
            case = "ints"
        value = f"{name}.rawValue" if argument.name == "reduction" else name
        return f'"{argument.name}": .{case}({value})'


class Operation:
    def __init__(self, schema, swift, doc):
        match = re.fullmatch(r"(\w+)(?:\.(\w+))?\((.*)\) -> (.*)", schema)
        base, overload, arguments, returns = match.groups()
        self.base, self.doc = base, doc
        self.aten = f"{base}.{overload}" if overload else base
        self.struct = f"{base}_{overload}" if overload else base
        self.function = "ctorch_" + self.struct.lstrip("_")
        self.arguments = [Argument(text) for text in split_arguments(arguments) if text != "*"]
        by_name = {argument.name: argument for argument in self.arguments}
        if "(a!)" in arguments:
            self.results = 0
        elif returns.startswith("("):
            self.results = len(split_arguments(returns[1:-1]))
        else:
            self.results = -1 if returns.endswith("[]") else 1

        match = re.fullmatch(
            r"(static )?(prefix )?([\w+*/-]+)\((.*?)\)(?: -> \((.*?)\))?(?: self=(\w+))?(?: \| (.*))?", swift)
        if not match:
            raise SystemExit(f"cannot read the Swift signature: {swift}")
        static, prefix, self.name, parameters, parts, own, fixed = match.groups()
        self.is_static, self.is_prefix = bool(static), bool(prefix)
        self.is_operator = not self.name[0].isalpha()
        self.parts = split_arguments(parts or "")
        self.fixed = dict(pair.split("=") for pair in split_arguments(fixed or ""))
        self.parameters = [SwiftParameter(text, by_name) for text in split_arguments(parameters)]
        self.receiver = None if self.is_static else by_name[own or "self"]
        filled = {parameter.argument.name for parameter in self.parameters}
        if self.receiver:
            filled.add(self.receiver.name)
        self.passed = [argument for argument in self.arguments if argument.name in filled]
        # What the C function takes: also what another Swift method of the same operation passes.
        self.taken = self.passed

    # C

    def c_parameters(self):
        parameters = [text for argument in self.taken for text in argument.c_parameters()]
        if self.results == 1:
            parameters.append("ctorch_tensor **result")
        elif self.results > 1:
            parameters += [f"ctorch_tensor **result{index}" for index in range(self.results)]
        elif self.results == -1:
            parameters += ["ctorch_tensor ***results", "intptr_t *results_count"]
        return parameters

    def c_declaration(self):
        return wrap(f"int32_t {self.function}(", self.c_parameters(), ")", "    ", 0)

    def cpp_body(self):
        values = []
        for argument in self.arguments:
            if argument in self.taken:
                values.append(argument.cpp_value())
            else:
                values.append(self.fixed.get(argument.name) or argument.cpp_default())
        operation = f"at::_ops::{self.struct}"
        target = f"product<{operation}>" if self.struct in PRODUCTS else f"{operation}::call"
        call = wrap(f"{target}(", values, ")", "    ", 4)
        if self.results == 0:
            body = f"{call};"
        elif self.results == 1:
            body = f"give({call}, result);"
        elif self.results == -1:
            body = f"give({call}, results, results_count);"
        else:
            outs = ", ".join(f"result{index}" for index in range(self.results))
            body = f"giveAll({call}, {outs});"
        return f"{self.c_declaration()} {{\n  return guarded([&] {{\n    {body}\n  }});\n}}\n"

    # Swift

    def swift_inputs(self):
        by_argument = {parameter.argument: parameter for parameter in self.parameters}
        texts = []
        for argument in self.passed:
            if not argument.is_tensor:
                continue
            if argument is self.receiver:
                texts.append(".tensor(self)")
                continue
            parameter = by_argument[argument]
            case = "list" if argument.is_array else "optional" if parameter.is_optional else "tensor"
            texts.append(f".{case}({parameter.name})")
        return "[" + ", ".join(texts) + "]"

    def swift_attributes(self):
        by_argument = {parameter.argument: parameter for parameter in self.parameters}
        texts = [
            by_argument[argument].attribute()
            for argument in self.passed if not argument.is_tensor and argument is not self.receiver
        ]
        return "[" + ", ".join(texts) + "]" if texts else "[:]"

    def c_call(self):
        by_argument = {parameter.argument: parameter for parameter in self.parameters}
        values = []
        for argument in self.taken:
            if argument is self.receiver:
                values.append("handle")
            elif argument in by_argument:
                values += by_argument[argument].c_values()
            else:
                values.append(argument.default)
        count = {0: 0, 1: 1, -1: 2}.get(self.results, self.results)
        return wrap(f"{self.function}(", values + [f"${index}" for index in range(count)], ")", " " * 16, 12)

    def swift_call_head(self, function, location):
        """The call of `perform` up to its closure, in as few lines as fit."""
        name, inputs, attributes = f'"{self.aten}"', self.swift_inputs(), self.swift_attributes()
        line = f"        {function}({name}, {inputs}, {attributes}, {location}) {{"
        if len(line) <= WIDTH:
            return line
        indent = " " * 12
        rows = [indent + f"{name}, {inputs}, {attributes}, {location}"]
        if len(rows[0]) > WIDTH:
            rows = [indent + f"{name}, {inputs},"]
            if len(rows[0]) > WIDTH:
                rows = [indent + f"{name},", indent + f"{inputs},"]
            last = indent + f"{attributes}, {location}"
            if len(last) <= WIDTH:
                rows.append(last)
            else:
                rows.append(indent + "[")
                rows += [indent + row for row in fill(split_arguments(attributes[1:-1]), 16)]
                rows.append(indent + f"], {location}")
        return f"        {function}(\n" + "\n".join(rows) + "\n        ) {"

    def swift(self):
        lines = [f"    /// {line}" for line in self.doc]
        name = f"`{self.name}`" if self.name in KEYWORDS else self.name
        kind = "static prefix func" if self.is_prefix else "static func" if self.is_static else "func"
        location = "file, line"
        if self.is_operator:
            parameters = [f"{parameter.name}: {parameter.swift_type}" for parameter in self.parameters]
            name += " "
            location = '"", 0'
        else:
            parameters = [parameter.declaration() for parameter in self.parameters]
            parameters += ["file: StaticString = #fileID", "line: UInt = #line"]
        function = {0: "performInPlace", 1: "perform", 2: "performPair", 3: "performTriple", -1: "performList"}[self.results]
        if self.results == 0:
            result = ""
        elif self.results == -1:
            result = " -> [Tensor]"
        elif self.results == 1:
            result = " -> Tensor"
        else:
            result = " -> (" + ", ".join(f"{part}: Tensor" for part in self.parts) + ")"
        lines.append(wrap(f"    public {kind} {name}(", parameters, f"){result} {{", " " * 8, 0))
        lines.append(self.swift_call_head(function, location))
        lines.append(f"            {self.c_call()}")
        lines += ["        }", "    }"]
        return "\n".join(lines) + "\n"


def fill(items, indent):
    """Items with a comma after each, in lines that fit after `indent` spaces."""
    lines, current = [], ""
    for item in items:
        if current and indent + len(current) + len(item) + 2 > WIDTH:
            lines.append("    " + current)
            current = ""
        current = f"{current} {item},".strip()
    return lines + ["    " + current]


def wrap(head, items, tail, indent, column):
    """`head + items + tail` on one line if it fits, else with the items on lines of their own."""
    line = head + ", ".join(items) + tail
    if column + len(line) <= WIDTH:
        return line
    rows, current = [], ""
    for index, item in enumerate(items):
        piece = item + ("," if index < len(items) - 1 else "")
        if current and len(indent) + len(current) + 1 + len(piece) > WIDTH:
            rows.append(indent + current)
            current = piece
        else:
            current = f"{current} {piece}".strip()
    rows.append(indent + current)
    closing = indent[:-4]
    return head + "\n" + "\n".join(rows) + "\n" + closing + tail


def wrap_doc(lines):
    """Documentation lines, broken at the page's width."""
    rows, width = [], WIDTH - len("    /// ")
    for line in lines:
        current = ""
        for word in line.split():
            if current and len(current) + 1 + len(word) > width:
                rows.append(current)
                current = word
            else:
                current = f"{current} {word}".strip()
        rows.append(current)
    return rows


def read_table():
    groups, entry = [], []
    lines = TABLE.read_text().splitlines()

    def close():
        if entry:
            schema, swift, *doc = entry
            if not doc:
                raise SystemExit(f"no documentation: {schema}")
            groups[-1][1].append(Operation(schema, swift.strip(), wrap_doc([line.strip() for line in doc])))
            entry.clear()

    for line in lines:
        heading = re.fullmatch(r"# ([A-Z][A-Za-z]+)", line)
        if heading:
            close()
            groups.append((heading.group(1), []))
        elif line.startswith("#") or not line.strip():
            close()
        elif line.startswith(" "):
            entry.append(line)
        else:
            close()
            entry.append(line)
    close()
    unite([operation for _, operations in groups for operation in operations])
    return groups


def unite(operations):
    """Lets all Swift methods of one operation share one C function."""
    names = {}
    for operation in operations:
        names.setdefault(operation.function, set()).update(argument.name for argument in operation.passed)
    for operation in operations:
        operation.taken = [
            argument for argument in operation.arguments if argument.name in names[operation.function]
        ]


def outputs():
    groups = read_table()
    files, declared, header = {}, {}, []
    # The headers take longest to compile, so there are as many C++ files as a small machine has cores.
    parts = [([], set()) for _ in range(2)]
    for group, operations in groups:
        header.append(f"\n// {group}\n")
        bodies, includes = min(parts, key=lambda part: len(part[0]))
        for operation in operations:
            declaration = operation.c_declaration()
            if operation.function in declared:
                if declared[operation.function] != declaration:
                    raise SystemExit(f"{operation.aten} is declared twice with different arguments")
                continue
            declared[operation.function] = declaration
            header.append(declaration + ";\n")
            bodies.append(operation.cpp_body())
            includes.add(f"#include <ATen/ops/{operation.base.rstrip('_')}_ops.h>\n")
        files[SWIFT / f"Tensor+{group}.swift"] = (
            NOTICE + "import CTorch\nimport ConcordCore\n\nextension Tensor {\n"
            + "\n".join(operation.swift() for operation in operations) + "}\n")
    for index, (bodies, includes) in enumerate(parts):
        files[CPP / f"Operations{index + 1}.cpp"] = (
            NOTICE + '#include "../product.h"\n\n' + "".join(sorted(includes)) + "\nusing namespace ctorch;\n\n"
            + "\n".join(bodies))
    files[HEADER] = (
        NOTICE + '#pragma once\n#include "../ctorch_types.h"\n\n#ifdef __cplusplus\nextern "C" {\n#endif\n'
        + "".join(header) + "\n#ifdef __cplusplus\n}\n#endif\n")
    return files


def main():
    files = outputs()
    if sys.argv[1:] == ["--check"]:
        stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
        known = {path.resolve() for path in files}
        stale += [path for folder in (CPP, SWIFT) for path in folder.iterdir() if path.resolve() not in known]
        for path in stale:
            print(f"stale: {path.relative_to(ROOT)}; run scripts/generate-ops.py", file=sys.stderr)
        return 1 if stale else 0
    if sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        return 64
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
