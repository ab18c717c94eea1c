import ConcordCore
import ConcordONNX
import ConcordRuntime
import ConcordTensor

extension LoweredCall {
    func lowerLinear() throws {
        let weight = try lowering.transposedEdge(operand(1))
        let product = try builder.add("MatMul", [edge(0), weight])
        guard let bias = try optionalEdge(2) else {
            finish(product)
            return
        }
        finish(try builder.add("Add", [product, bias]))
    }

    func lowerConvolution() throws {
        if try lowerPatches() { return }
        let padding = ints("padding")
        finish(
            try builder.add(
                "Conv", [edge(0), edge(1), optionalEdge(2)],
                attributes: [
                    "strides": .ints(ints("stride")), "pads": .ints(padding + padding),
                    "dilations": .ints(ints("dilation")), "group": .int(int("groups", default: 1)),
                ]))
    }

    /// Each row of the result is a sum of rows, with weights that are taken from libtorch: ONNX Runtime's own differ in the
    /// last digits.
    func lowerInterpolation() throws {
        let before = try lowering.shape(operand(0)), after = try outputShape()
        guard before.count == 4, before[3] == after[3], let rows = before[2].fixed, let height = after[2].fixed else {
            throw ConcordError(.invalidArgument, "only the height of a picture can be interpolated in ONNX")
        }
        let isAligned = bool("align_corners")
        let weights = try lowering.constant(name: nil) {
            Tensor.identity(rows).reshaped([1, 1, rows, rows])
                .interpolated(height: height, width: rows, mode: .bicubic, alignCorners: isAligned)
                .reshaped([height, rows])
        }
        finish(try builder.add("MatMul", [weights, edge(0)]))
    }

    /// Patches that touch and do not overlap are rows of one product, which can be quantized as the others are. Returns
    /// whether it is that.
    private func lowerPatches() throws -> Bool {
        let shape = try lowering.shape(operand(0)).dropFirst().compactMap(\.fixed), weight = try operand(1)
        guard lowering.isFused, shape.count == 3, weight.isConstant, weight.first.rank == 4 else { return false }
        let kernel = [weight.first.size(2), weight.first.size(3)], outputs = weight.first.size(0)
        guard ints("stride") == kernel, ints("padding") == [0, 0], ints("dilation") == [1, 1],
            try int("groups", default: 1) == 1, shape[1] % kernel[0] == 0, shape[2] % kernel[1] == 0
        else { return false }
        let (rows, columns) = (shape[1] / kernel[0], shape[2] / kernel[1])
        // [B, C, H, W] → [B, C, h, p, w, q] → [B, h, w, C, p, q] → [B, h · w, C · p · q]
        let split = try builder.add(
            "Reshape", [edge(0), builder.integers([0, shape[0], rows, kernel[0], columns, kernel[1]])])
        let turned = try builder.add("Transpose", [split], attributes: ["perm": .ints([0, 2, 4, 1, 3, 5])])
        let patches = try builder.add(
            "Reshape", [turned, builder.integers([0, rows * columns, shape[0] * kernel[0] * kernel[1]])])
        var product = try builder.add("MatMul", [patches, lowering.patchEdge(weight)])
        if let bias = try optionalEdge(2) { product = try builder.add("Add", [product, bias]) }
        // What a convolution gives, [B, O, h, w], which nobody needs when the patches become tokens again.
        let channels = try builder.add("Transpose", [product], attributes: ["perm": .ints([0, 2, 1])])
        finish(
            try builder.add("Reshape", [channels, builder.integers([0, outputs, rows, columns])]), .patches(product))
        return true
    }

    func lowerLayerNorm() throws {
        let epsilon = Float(double("eps") ?? 1e-5)
        let parameters = try [optionalEdge(1), optionalEdge(2)]
        // Not joined with a sum before it: ONNX Runtime's SkipLayerNormalization takes four times as long on a processor as
        // its Add and LayerNormalization together.
        let axis = -ints("normalized_shape").count
        finish(
            try builder.add(
                "LayerNormalization", [edge(0)] + parameters,
                attributes: ["axis": .int(axis), "epsilon": .float(epsilon)]))
    }

    func lowerGELU() throws {
        var isTanh = false
        if case .string("tanh")? = first.attribute("approximate") { isTanh = true }
        if lowering.isFused {
            finish(try builder.add(isTanh ? "FastGelu" : "Gelu", [edge(0)], domain: .microsoft))
            return
        }
        let x = try edge(0)
        func constant(_ value: Double) throws -> OnnxEdge { try number(value, like: outputDType) }
        let gate: OnnxEdge
        if isTanh {  // tanh(√(2/π) · (x + 0.044715 x³))
            let cube = try builder.add("Mul", [builder.add("Mul", [x, x]), x])
            let inner = try builder.add("Add", [x, builder.add("Mul", [cube, constant(0.044715)])])
            gate = try builder.add("Tanh", [builder.add("Mul", [inner, constant((2 / Double.pi).squareRoot())])])
        } else {
            gate = try builder.add("Erf", [builder.add("Mul", [x, constant(0.5.squareRoot())])])
        }
        let half = try builder.add("Mul", [x, constant(0.5)])
        finish(try builder.add("Mul", [half, builder.add("Add", [gate, constant(1)])]))
    }

    // MARK: - Attention

    /// Scores of what must not be looked at. Not infinity, which would make a row without anything open all NaN.
    private static let closed = -1e30

    func lowerAttention() throws {
        let parts = try (0..<3).map { try operand($0) }
        let heads = parts[0].first.size(1), width = parts[0].first.size(3)
        let scale = double("scale") ?? 1 / Double(width).squareRoot()
        guard lowering.isFused, let operands = try fusedOperands(parts) else {
            try lowerPlainAttention(scale: scale, bias: attentionBias(), isCausal: bool("is_causal"))
            return
        }
        let attributes: KeyValuePairs<String, OnnxAttribute> = [
            "num_heads": .int(heads), "scale": .float(Float(scale)),
            "unidirectional": .int(operands.isCausal ? 1 : 0),
        ]
        let results = try builder.add(
            "MultiHeadAttention", operands.edges, attributes: attributes, domain: .microsoft,
            outputs: operands.appends ? [0, 1, 2] : [0])
        if operands.appends {
            // The keys and values of all tokens come out of the same operation, and need not be put together before.
            for (index, part) in parts.dropFirst().enumerated() {
                part.edge = results[index + 1]
                part.origin = .other
            }
        }
        // [B, T, C] → [B, T, H, D] → [B, H, T, D], which nobody needs when the heads are joined again.
        let split = try builder.add("Reshape", [results[0], builder.integers([0, 0, heads, -1])])
        finish(
            try builder.add("Transpose", [split], attributes: ["perm": .ints([0, 2, 1, 3])]), .attended(results[0]))
    }

    /// What `MultiHeadAttention` takes, in its order: query, key, value, two that are not used here, what is added to the
    /// scores, and the keys and values of earlier tokens. Nil for operands that it cannot take.
    private func fusedOperands(
        _ parts: [RecordedValue]
    ) throws -> (edges: [OnnxEdge?], appends: Bool, isCausal: Bool)? {
        let isCausal = bool("is_causal")
        guard case .heads(let query) = parts[0].origin else { return nil }
        switch (parts[1].origin, parts[2].origin) {
        case (.heads(let key), .heads(let value)):
            return ([query, key, value, nil, nil, try attentionBias()], false, isCausal)
        case (.appended(let pastKey, let key), .appended(let pastValue, let value)):
            // Where the mask says no more than that no token looks behind itself, the operation knows it.
            guard !isCausal else { return nil }
            var isMaskCausal = false
            if case .causalMask(let start)? = operands.dropFirst(3).first??.origin {
                isMaskCausal = try start == lowering.shape(pastKey)[2]
            }
            let bias = isMaskCausal ? nil : try attentionBias()
            let past = try [lowering.edge(pastKey), lowering.edge(pastValue)]
            return ([query, key, value, nil, nil, bias] + past, true, isMaskCausal)
        case (.other, .other):
            // Keys and values `[B, H, S, D]` that somebody worked out before.
            guard !parts[1].isConstant, !parts[2].isConstant else { return nil }
            return try ([query, edge(1), edge(2), nil, nil, attentionBias()], false, isCausal)
        default: return nil
        }
    }

    /// What is added to the scores, for a mask of booleans or numbers `[B, 1, T or 1, S]`: as long as all tokens look.
    private func attentionBias() throws -> OnnxEdge? {
        guard operands.indices.contains(3), let mask = operands[3] else { return nil }
        var edge = try lowering.edge(mask)
        if mask.first.dtype == .bool {
            edge = try builder.add("Where", [edge, builder.number(0), builder.number(Float(Self.closed))])
        }
        let shape = try lowering.shape(mask), queries = try lowering.shape(operand(0))[2]
        guard let rows = shape.dropLast().last, rows != queries else { return edge }
        var grown = shape.map { _ in SymbolicLength.fixed(1) }
        grown[grown.count - 2] = queries
        return try builder.add("Expand", [edge, lowering.edge(grown)])
    }

    private func lowerPlainAttention(scale: Double, bias: OnnxEdge?, isCausal: Bool) throws {
        let key = try builder.add("Transpose", [edge(1)], attributes: ["perm": .ints([0, 1, 3, 2])])
        let query = try builder.add("Mul", [edge(0), number(scale, like: outputDType)])
        var scores = try builder.add("MatMul", [query, key])  // [B, H, T, S]
        if let bias { scores = try builder.add("Add", [scores, bias]) }
        if isCausal {
            let shape = try [lowering.shape(operand(0))[2], lowering.shape(operand(1))[2]]
            // Everything above the diagonal is closed.
            let all = try builder.add("Expand", [builder.number(Float(Self.closed)), lowering.edge(shape)])
            let above = try builder.add("Trilu", [all, builder.integer(1)], attributes: ["upper": .int(1)])
            scores = try builder.add("Add", [scores, above])
        }
        finish(try builder.add("MatMul", [builder.add("Softmax", [scores], attributes: ["axis": .int(-1)]), edge(2)]))
    }
}
