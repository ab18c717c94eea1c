import ConcordCore
import ConcordRuntime

/// Writes the nodes that stand for one layer in a quantized graph.
struct LayerRewriter {
    let layer: QuantizableLayer
    let node: OnnxNodeProto
    /// The name that the result gets.
    let output: String

    private var name: String { node.name.isEmpty ? layer.name : node.name }

    /// The names of numbers and scales as constants; what several layers share is made once.
    private func constants(
        _ form: String, in editor: inout GraphEditor,
        _ round: (OnnxValue) throws(ConcordError) -> RoundedWeight
    ) throws(ConcordError) -> (numbers: String, scales: String) {
        // A `Gemm` may use a weight in another way than the next.
        let key =
            "\(form) \(layer.weight) \(node.int("transB", default: 0)) \(node.float("alpha", default: 1))"
        if let numbers = editor.known[key], let scales = editor.known[key + " scales"] { return (numbers, scales) }
        guard let weight = editor.model.weights[layer.weight] else {
            throw ConcordError(.invalidArgument, "the graph has no constant '\(layer.weight)'")
        }
        let rounded = try round(weight)
        let numbers = editor.constant(rounded.numbers, name: layer.weight + ".int8")
        let scales = editor.constant(rounded.scales, name: layer.weight + ".scale")
        editor.known[key] = numbers
        editor.known[key + " scales"] = scales
        return (numbers, scales)
    }

    // MARK: - Weights alone

    /// A product by a weight in blocks, each of which has a scale.
    func addBlockProduct(blockSize: Int, in editor: inout GraphEditor) throws(ConcordError) {
        var matrix: (rows: Int, columns: Int) = (layer.shape[0], layer.shape[1])
        if node.opType == "Gemm", node.int("transB", default: 0) != 0 { matrix = (matrix.columns, matrix.rows) }
        let size = WeightQuantization.blockSize(rows: matrix.rows, limit: blockSize)
        let (numbers, scales) = try constants("blocks", in: &editor) { weight throws(ConcordError) in
            try WeightQuantizer.blocks(Matrix(weight, of: node), size: size, name: layer.weight)
        }
        try addBias(in: &editor) { editor, result in
            // Level 4: the product is one of 8-bit numbers. Others widen the weight again at each run.
            editor.add(
                "MatMulNBits", [layer.input, numbers, scales],
                attributes: [
                    "K": .int(matrix.rows), "N": .int(matrix.columns), "bits": .int(8), "block_size": .int(size),
                    "accuracy_level": .int(4),
                ], domain: .microsoft, name: name, output: result)
        }
    }

    /// Rows of a table of 8-bit numbers, each of which has a scale.
    func addTable(in editor: inout GraphEditor) throws(ConcordError) {
        let (numbers, scales) = try constants("rows", in: &editor) { weight throws(ConcordError) in
            let rounded = try WeightQuantizer.rows(weight, limit: 127, name: layer.weight)
            return try RoundedWeight(
                numbers: rounded.numbers, scales: rounded.scales.reshaped([layer.shape[0], 1]))
        }
        let rows = editor.add("Gather", [numbers, layer.input], name: name + "/int8")
        let wide = editor.add(
            "Cast", [rows], attributes: ["to": .int(Int(OnnxElementType.float32.rawValue))], name: name + "/float32")
        let scale = editor.add("Gather", [scales, layer.input], name: name + "/scale")
        editor.add("Mul", [wide, scale], name: name, output: output)
    }

    // MARK: - Weights and activations

    /// A product of 8-bit numbers on both sides, written as a product of what they stand for.
    ///
    /// ONNX Runtime makes one of 8-bit numbers of it when it loads the graph; the result comes out as float32, and is
    /// not rounded once more.
    func addStaticProduct(
        _ range: ActivationRange, weightLimit: Int, in editor: inout GraphEditor
    ) throws(ConcordError) {
        let x = try addRounding(of: layer.input, range, in: &editor)
        let (numbers, scales) = try constants("columns", in: &editor) { weight throws(ConcordError) in
            try WeightQuantizer.columns(Matrix(weight, of: node), limit: weightLimit, name: layer.weight)
        }
        let weight = try addWidening(of: numbers, scales, axis: 1, in: &editor)
        try addBias(in: &editor) { editor, result in
            editor.add("MatMul", [x, weight], name: name, output: result)
        }
    }

    /// A convolution of 8-bit numbers. Its result is rounded, too, which ONNX Runtime asks for.
    func addStaticConvolution(
        _ range: ActivationRange, result: ActivationRange, weightLimit: Int, in editor: inout GraphEditor
    ) throws(ConcordError) {
        let x = try addRounding(of: layer.input, range, in: &editor)
        let biasName = node.input.count > 2 ? node.input[2] : ""
        let bias = try editor.model.weights[biasName]?.values(of: Float.self) ?? []
        try WeightQuantizer.check(bias, biasName)
        // A bias is a number of 32 bits with the scale of the sums, which must not be too small for it.
        let minimum = bias.map { abs($0) / (range.scale * 0x1p30) }
        let (numbers, scales) = try constants("channels \(layer.name)", in: &editor) { weight throws(ConcordError) in
            try WeightQuantizer.rows(weight, limit: weightLimit, minimumScales: minimum, name: layer.weight)
        }
        var inputs = [x, try addWidening(of: numbers, scales, axis: 0, in: &editor)]
        if !bias.isEmpty, let weightScales = editor.model.weights[scales] {
            let biasScales = try weightScales.values(of: Float.self).map { $0 * range.scale }
            let rounded = zip(bias, biasScales).map { bias, scale in Int32((bias / scale).rounded(.toNearestOrEven)) }
            let numbers = editor.constant(try OnnxValue(rounded, shape: [rounded.count]), name: biasName + ".int32")
            let scales = editor.constant(try OnnxValue(biasScales, shape: [rounded.count]), name: biasName + ".scale")
            inputs.append(
                editor.add(
                    "DequantizeLinear", [numbers, scales], attributes: ["axis": .int(0)],
                    name: biasName + ".float32"))
        }
        let sum = editor.add("Conv", inputs, copying: node.attribute, name: name)
        try addRounding(of: sum, result, to: output, in: &editor)
    }

    /// `value` in 8 bits and back, once for all layers that take it.
    @discardableResult
    private func addRounding(
        of value: String, _ range: ActivationRange, to output: String? = nil, in editor: inout GraphEditor
    ) throws(ConcordError) -> String {
        if output == nil, let known = editor.known["rounded \(value)"] { return known }
        let scale = editor.constant(try OnnxValue([range.scale], shape: []), name: value + ".scale")
        let zero = editor.constant(try OnnxValue([range.zeroPoint], shape: []), name: value + ".zero")
        let numbers = editor.add("QuantizeLinear", [value, scale, zero], name: value + "/uint8")
        let rounded = editor.add(
            "DequantizeLinear", [numbers, scale, zero], name: value + "/float32", output: output)
        if output == nil { editor.known["rounded \(value)"] = rounded }
        return rounded
    }

    /// What the numbers of a weight stand for.
    private func addWidening(
        of numbers: String, _ scales: String, axis: Int, in editor: inout GraphEditor
    ) throws(ConcordError) -> String {
        if let known = editor.known["wide \(numbers)"] { return known }
        let count = editor.model.weights[scales]?.count ?? 0
        let zeros = editor.constant(try OnnxValue(zeros: .int8, shape: [count]), name: layer.weight + ".zero")
        let weight = editor.add(
            "DequantizeLinear", [numbers, scales, zeros], attributes: ["axis": .int(axis)],
            name: layer.weight + "/float32")
        editor.known["wide \(numbers)"] = weight
        return weight
    }

    // MARK: - Bias

    /// Adds a product, and after it what a `Gemm` adds to its own.
    private func addBias(
        in editor: inout GraphEditor, _ addProduct: (inout GraphEditor, String?) -> String
    ) throws(ConcordError) {
        guard node.opType == "Gemm", node.input.count > 2, !node.input[2].isEmpty else {
            _ = addProduct(&editor, output)
            return
        }
        var bias = node.input[2]
        let factor = node.float("beta", default: 1)
        if factor != 1, let value = editor.model.weights[bias] {
            let scaled = try value.values(of: Float.self).map { $0 * factor }
            bias = editor.constant(try OnnxValue(scaled, shape: value.shape), name: bias + ".scaled")
        }
        let product = addProduct(&editor, nil)
        editor.add("Add", [product, bias], name: name + "/bias", output: output)
    }
}
