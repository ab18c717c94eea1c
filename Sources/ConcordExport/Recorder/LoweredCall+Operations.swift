import ConcordCore
import ConcordONNX
import ConcordRuntime
import ConcordTensor

extension LoweredCall {
    /// Adds the nodes of this operation. Throws `.invalidArgument` for one that no graph can be written of.
    func lower() throws {
        switch name {
        case "detach", "contiguous", "alias": try passOn()
        case "to.dtype": try lowerCast()
        case "to.device": try passOn()
        case "reshape", "flatten.using_ints": try lowerReshape()
        case "transpose.int": try lowerTranspose()
        case "permute":
            finish(try builder.add("Transpose", [edge(0)], attributes: ["perm": .ints(positive(ints("dims")))]))
        case "unsqueeze":
            let rank = first.outputs[0].rank
            var origin = RecordedValue.Origin.other
            if case .places(let start) = try operand(0).origin, try axis("dim", rank: rank) == 1 {
                origin = .placeColumn(start: start)
            }
            finish(try builder.add("Unsqueeze", [edge(0), builder.integers([axis("dim", rank: rank)])]), origin)
        case "squeeze.dim": try lowerSqueeze()
        case "expand", "broadcast_to": try lowerExpand()
        case "select.int":
            finish(
                try builder.add("Gather", [edge(0), scalar("index")], attributes: ["axis": .int(operandAxis("dim"))]))
        case "slice.Tensor": try lowerSlice()
        case "cat": try lowerConcatenation()
        case "roll": try lowerRoll()
        case "constant_pad_nd": try lowerPadding()
        case "gather":
            finish(
                try builder.add("GatherElements", [edge(0), edge(1)], attributes: ["axis": .int(operandAxis("dim"))]))
        case "embedding": finish(try builder.add("Gather", [edge(0), edge(1)], attributes: ["axis": .int(0)]))
        case "full": try lowerFull()
        case "arange", "arange.start_step": try lowerArange()

        case "add.Tensor": try lowerSum()
        case "sub.Tensor": try lowerBinary("Sub")
        case "mul.Tensor": try lowerProduct()
        case "div.Tensor": try lowerBinary("Div")
        case "add.Scalar": try lowerScalar("Add")
        case "sub.Scalar": try lowerScalar("Sub")
        case "rsub.Scalar":
            let other = try number(double("other") ?? 0, like: operand(0).first.dtype)
            finish(try builder.add("Sub", [other, edge(0)]))
        case "mul.Scalar":
            let origin = RecordedValue.Origin.scaled(try operand(0), double("other") ?? 1)
            finish(
                try builder.add("Mul", [edge(0), number(double("other") ?? 1, like: operand(0).first.dtype)]), origin)
        case "div.Scalar": try lowerScalar("Div")
        case "neg": try lowerUnary("Neg")
        case "exp": try lowerUnary("Exp")
        case "tanh": try lowerUnary("Tanh")
        case "sqrt": try lowerUnary("Sqrt")
        case "reciprocal": try lowerUnary("Reciprocal")
        case "logical_not": try lowerUnary("Not")
        case "relu": try lowerUnary("Relu")
        case "sigmoid": try lowerSigmoid()
        case "clamp": try lowerClamp()
        case "eq.Scalar": try lowerScalar("Equal")
        case "eq.Tensor": try lowerBinary("Equal")
        case "ne.Scalar":
            let equal = try builder.add("Equal", [edge(0), number(double("other") ?? 0, like: operand(0).first.dtype)])
            finish(try builder.add("Not", [equal]))
        case "le.Scalar": try lowerScalar("LessOrEqual")
        case "lt.Scalar": try lowerScalar("Less")
        case "gt.Scalar": try lowerScalar("Greater")
        case "le.Tensor":
            var origin = RecordedValue.Origin.other
            if case .places(start: .fixed(0)) = try operand(0).origin,
                case .placeColumn(let start) = try operand(1).origin
            {
                origin = .causalMask(start: start)
            }
            finish(try builder.add("LessOrEqual", [edge(0), edge(1)]), origin)
        case "lt.Tensor": try lowerBinary("Less")
        case "logical_and": try lowerBinary("And")
        case "masked_fill.Scalar":
            let fill = try number(double("value") ?? 0, like: outputDType)
            finish(try builder.add("Where", [edge(1), fill, edge(0)]))
        case "where.self": finish(try builder.add("Where", [edge(0), edge(1), edge(2)]))

        case "sum.dim_IntList":
            // The axes are an operand of ReduceSum, but arguments of the others until opset 18.
            let edges = try [edge(0), builder.integers(positive(ints("dim")))]
            finish(try builder.add("ReduceSum", edges, attributes: ["keepdims": .int(bool("keepdim") ? 1 : 0)]))
        case "amax": try lowerReduction("ReduceMax", ints("dim"))
        case "mean.dim": try lowerReduction("ReduceMean", ints("dim"))
        case "linalg_vector_norm": try lowerNorm()
        case "argmax":
            finish(
                try builder.add(
                    "ArgMax", [edge(0)],
                    attributes: ["axis": .int(operandAxis("dim")), "keepdims": .int(bool("keepdim") ? 1 : 0)]))
        case "softmax.int":
            finish(try builder.add("Softmax", [edge(0)], attributes: ["axis": .int(operandAxis("dim"))]))
        case "matmul": try lowerBinary("MatMul")

        case "linear": try lowerLinear()
        case "layer_norm": try lowerLayerNorm()
        case "conv1d", "conv2d": try lowerConvolution()
        case "upsample_bicubic2d": try lowerInterpolation()
        case "gelu": try lowerGELU()
        case "scaled_dot_product_attention": try lowerAttention()
        default:
            throw ConcordError(
                .invalidArgument,
                "the operation \(first.name) cannot be written as ONNX; leave it out of what is "
                    + "recorded, or add it to LoweredCall+Operations.swift")
        }
    }

    // MARK: - Shapes

    private var operandRank: Int { get throws { try operand(0).first.rank } }

    private func operandAxis(_ name: String) throws -> Int { try axis(name, rank: operandRank) }

    /// Axes counted from the first.
    private func positive(_ axes: [Int]) throws -> [Int] {
        let rank = try operandRank
        return axes.map { $0 < 0 ? $0 + rank : $0 }
    }

    /// An integer argument as a single number `[]`.
    private func scalar(_ name: String) throws -> OnnxEdge {
        guard let length = try length(name) else { return try builder.integer(0) }
        if let fixed = length.fixed { return try builder.integer(fixed) }
        return try builder.add("Squeeze", [lowering.edge([length])])
    }

    private func lowerCast() throws {
        guard try operand(0).first.dtype != outputDType else { return try passOn() }
        finish(try builder.add("Cast", [edge(0)], attributes: ["to": .int(Int(OnnxElementType(outputDType).rawValue))]))
    }

    private func lowerReshape() throws {
        let source = try operand(0), target = try outputShape(), before = try lowering.shape(source)
        guard target != before else { return try passOn() }
        if case .attendedTokens(let edge) = source.origin, target.count == 3, target[0] == before[0],
            target[1] == before[1]
        {
            finish(edge)
            return
        }
        var origin = RecordedValue.Origin.other
        if case .patches(let edge) = source.origin, target.count == 3, Array(target[..<2]) == Array(before[..<2]) {
            origin = .patchChannels(edge)
        }
        if before.count == 3, target.count == 4, target[0] == before[0], target[1] == before[1] {
            origin = .splitHeads(try edge(0))
        }
        finish(try reshaped(edge(0), from: before, to: target), origin)
    }

    /// A value in another shape. Reshape takes 0 for a length that stays, and -1 for one that follows from the others,
    /// so that most shapes can be written as constants.
    func reshaped(_ edge: OnnxEdge, from before: [SymbolicLength], to target: [SymbolicLength]) throws -> OnnxEdge {
        var constant: [Int] = [], open = 0
        for (axis, length) in target.enumerated() {
            if let fixed = length.fixed {
                constant.append(fixed)
            } else if axis < before.count, before[axis] == length {
                constant.append(0)
            } else {
                constant.append(-1)
                open += 1
            }
        }
        // A fixed 0 would be taken for "stays".
        let isConstant = open <= 1 && !target.contains { $0.fixed == 0 }
        let shape = isConstant ? try builder.integers(constant) : try lowering.edge(target)
        return try builder.add("Reshape", [edge, shape])
    }

    private func lowerTranspose() throws {
        let rank = try operandRank
        let (a, b) = (try axis("dim0", rank: rank), try axis("dim1", rank: rank))
        var order = Array(0..<rank)
        order.swapAt(a, b)
        if case .patchChannels(let edge) = try operand(0).origin, Set([a, b]) == [1, 2] {
            finish(edge)
            return
        }
        var origin = RecordedValue.Origin.other
        if rank == 4, Set([a, b]) == [1, 2] {
            switch try operand(0).origin {
            case .splitHeads(let edge): origin = .heads(edge)
            case .attended(let edge): origin = .attendedTokens(edge)
            default: break
            }
        }
        finish(try builder.add("Transpose", [edge(0)], attributes: ["perm": .ints(order)]), origin)
    }

    private func lowerSqueeze() throws {
        // libtorch leaves an axis that is not of length 1.
        let axis = try operandAxis("dim")
        guard try lowering.shape(operand(0))[axis].fixed == 1 else { return try passOn() }
        finish(try builder.add("Squeeze", [edge(0), builder.integers([axis])]))
    }

    private func lowerExpand() throws {
        let source = try operand(0), target = try outputShape(), before = try lowering.shape(source)
        guard target != before else { return try passOn() }
        let leading = target.count - before.count
        // Expand takes 1 for a length that stays, so that only those which grow must be known.
        let shape = target.enumerated().map { axis, length in
            axis >= leading && before[axis - leading] == length ? SymbolicLength.fixed(1) : length
        }
        var origin = RecordedValue.Origin.other
        // Heads of learned queries, [1, H, Q, D], that every row of the batch asks with: the same as [B, Q, C].
        if source.isConstant, target.count == 4, leading == 0, target.dropFirst() == before.dropFirst() {
            let heads = source.first
            let tokens = try lowering.constant(name: nil) {
                heads.transposed(1, 2).reshaped([heads.size(0), heads.size(2), heads.size(1) * heads.size(3)])
            }
            origin = .heads(try builder.add("Expand", [tokens, lowering.edge([target[0], .fixed(1), .fixed(1)])]))
        }
        finish(try builder.add("Expand", [edge(0), lowering.edge(shape)]), origin)
    }

    private func lowerConcatenation() throws {
        let axis = try operandAxis("dim"), edges = try operands.indices.map { try edge($0) }
        var origin = RecordedValue.Origin.other
        if edges.count == 2, axis == 2, try operandRank == 4, case .heads(let new) = try operand(1).origin {
            origin = .appended(past: try operand(0), new: new)
        }
        finish(try builder.add("Concat", edges, attributes: ["axis": .int(axis)]), origin)
    }

    private func lowerSlice() throws {
        let axis = try operandAxis("dim")
        var origin = RecordedValue.Origin.other
        if case .places(start: .fixed(0)) = try operand(0).origin, try length("step")?.fixed ?? 1 == 1 {
            origin = .places(start: try length("start") ?? .fixed(0))
        }
        func list(_ name: String, _ otherwise: Int) throws -> OnnxEdge {
            try lowering.edge([length(name) ?? .fixed(otherwise)])
        }
        finish(
            try builder.add(
                "Slice",
                [edge(0), list("start", 0), list("end", .max), builder.integers([axis]), list("step", 1)]),
            origin)
    }

    /// The last elements of an axis come before the others.
    private func lowerRoll() throws {
        var edge = try edge(0)
        for (shift, axis) in zip(ints("shifts"), try positive(ints("dims"))) where shift != 0 {
            func part(_ start: Int, _ end: Int) throws -> OnnxEdge {
                try builder.add(
                    "Slice", [edge, builder.integers([start]), builder.integers([end]), builder.integers([axis])])
            }
            edge = try builder.add("Concat", [part(-shift, .max), part(0, -shift)], attributes: ["axis": .int(axis)])
        }
        finish(edge)
    }

    private func lowerPadding() throws {
        let amounts = ints("pad"), rank = try operandRank
        var before = [Int](repeating: 0, count: rank), after = before
        // The last axis comes first.
        for index in 0..<amounts.count / 2 {
            before[rank - 1 - index] = amounts[2 * index]
            after[rank - 1 - index] = amounts[2 * index + 1]
        }
        let value = try number(double("value") ?? 0, like: outputDType)
        finish(try builder.add("Pad", [edge(0), builder.integers(before + after), value]))
    }

    private func lowerFull() throws {
        let value = try number(double("fill_value") ?? 0, like: outputDType)
        finish(try builder.add("Expand", [value, lowering.edge(outputShape())]))
    }

    private func lowerArange() throws {
        let start = double("start") ?? 0, step = double("step") ?? 1
        guard step == 1, let start = Int(exactly: start), let length = try outputShape().first else {
            throw ConcordError(.invalidArgument, "only a range of whole steps can be written as ONNX")
        }
        let count = try builder.add("Squeeze", [lowering.edge([length])])
        let range = try builder.add("Range", [builder.integer(0), count, builder.integer(1)])
        let shifted = start == 0 ? range : try builder.add("Add", [range, builder.integer(start)])
        guard outputDType != .int64 else {
            finish(shifted, .places(start: .fixed(start)))
            return
        }
        finish(try builder.add("Cast", [shifted], attributes: ["to": .int(Int(OnnxElementType(outputDType).rawValue))]))
    }

    // MARK: - Elements

    private func lowerUnary(_ operation: String) throws { finish(try builder.add(operation, [edge(0)])) }

    private func lowerBinary(_ operation: String) throws { finish(try builder.add(operation, [edge(0), edge(1)])) }

    private func lowerScalar(_ operation: String) throws {
        let other = try number(double("other") ?? 0, like: operand(0).first.dtype)
        finish(try builder.add(operation, [edge(0), other]))
    }

    private func lowerSum() throws {
        guard (double("alpha") ?? 1) == 1 else {
            let scaled = try builder.add("Mul", [edge(1), number(double("alpha") ?? 1, like: outputDType)])
            finish(try builder.add("Add", [edge(0), scaled]))
            return
        }
        try lowerBinary("Add")
    }

    private func lowerProduct() throws {
        // x · σ(a x)
        for (x, gate) in [(0, 1), (1, 0)] where lowering.isFused {
            if case .sigmoid(let source, let factor) = try operand(gate).origin, try source === operand(x) {
                finish(
                    try builder.add(
                        "QuickGelu", [edge(x)], attributes: ["alpha": .float(Float(factor))], domain: .microsoft))
                return
            }
        }
        try lowerBinary("Mul")
    }

    private func lowerSigmoid() throws {
        let source = try operand(0)
        var origin = RecordedValue.Origin.sigmoid(source, 1)
        if case .scaled(let inner, let factor) = source.origin { origin = .sigmoid(inner, factor) }
        finish(try builder.add("Sigmoid", [edge(0)]), origin)
    }

    private func lowerClamp() throws {
        let dtype = outputDType
        let low = try double("min").map { try number($0, like: dtype) }
        let high = try double("max").map { try number($0, like: dtype) }
        finish(try builder.add("Clip", [edge(0), low, high]))
    }

    private func lowerReduction(_ operation: String, _ axes: [Int]) throws {
        finish(
            try builder.add(
                operation, [edge(0)],
                attributes: ["axes": .ints(positive(axes)), "keepdims": .int(bool("keepdim") ? 1 : 0)]))
    }

    private func lowerNorm() throws {
        guard double("ord") == 2 else {
            throw ConcordError(.invalidArgument, "only the norm of order 2 can be written as ONNX")
        }
        try lowerReduction("ReduceL2", ints("dim"))
    }
}
