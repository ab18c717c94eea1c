import CTorch
import ConcordCore

extension Tensor {
    /// An argument of ``callOperator(_:_:file:line:)``.
    public enum OperatorArgument {
        case none
        case tensor(Tensor)
        case tensors([Tensor])
        case int(Int)
        case double(Double)
        case bool(Bool)
        case ints([Int])
        case string(String)
    }

    /// Calls any operation of libtorch by its schema's name, such as `"aten::cummax"` or `"aten::sum.dim_IntList"`.
    ///
    /// For operations that have no method here. It is slower, because the arguments are checked at run time. Arguments
    /// follow the schema's order; those left out at the end take their defaults.
    ///
    /// - Returns: The operation's tensors, in order.
    public static func callOperator(
        _ name: String, _ arguments: [OperatorArgument], file: StaticString = #fileID, line: UInt = #line
    ) -> [Tensor] {
        let parts = name.split(separator: ".", maxSplits: 1)
        let overload = parts.count == 2 ? String(parts[1]) : ""
        return performList(
            "callOperator", [.list(arguments.flatMap(\.tensors))], ["name": .string(name)], file, line
        ) { results, count in
            let values = CValues(arguments)
            return withExtendedLifetime(values) {
                ctorch_call_operator(
                    String(parts.first ?? ""), overload, values.pointer, arguments.count, results, count)
            }
        }
    }
}

extension Tensor.OperatorArgument {
    fileprivate var tensors: [Tensor] {
        switch self {
        case .tensor(let tensor): [tensor]
        case .tensors(let list): list
        default: []
        }
    }
}

/// The arguments in C's form, with the memory that they point to.
private final class CValues {
    let pointer: UnsafeMutablePointer<ctorch_value>
    private let count: Int
    private var arrays: [UnsafeMutableRawPointer] = []

    init(_ arguments: [Tensor.OperatorArgument]) {
        count = arguments.count
        pointer = .allocate(capacity: max(1, count))
        pointer.initialize(repeating: ctorch_value(), count: count)
        for (index, argument) in arguments.enumerated() {
            switch argument {
            case .none:
                pointer[index].tag = 0
            case .tensor(let tensor):
                pointer[index].tag = 1
                pointer[index].tensor = tensor.handle
            case .tensors(let tensors):
                pointer[index].tag = 2
                pointer[index].tensors = UnsafePointer(copy(handles(tensors)))
                pointer[index].count = tensors.count
            case .int(let value):
                pointer[index].tag = 3
                pointer[index].integer = value
            case .double(let value):
                pointer[index].tag = 4
                pointer[index].real = value
            case .bool(let value):
                pointer[index].tag = 5
                pointer[index].integer = value ? 1 : 0
            case .ints(let values):
                pointer[index].tag = 6
                pointer[index].integers = UnsafePointer(copy(values))
                pointer[index].count = values.count
            case .string(let text):
                pointer[index].tag = 7
                pointer[index].text = UnsafePointer(copy(Array(text.utf8CString)))
            }
        }
    }

    deinit {
        for array in arrays { array.deallocate() }
        pointer.deallocate()
    }

    private func copy<Element: BitwiseCopyable>(_ elements: [Element]) -> UnsafeMutablePointer<Element> {
        let memory = UnsafeMutablePointer<Element>.allocate(capacity: max(1, elements.count))
        memory.initialize(from: elements, count: elements.count)
        arrays.append(memory)
        return memory
    }
}
