import ConcordCore
import ConcordRuntime

/// Numbers of 8 bits and their scales: `weight ≈ number · scale`.
struct RoundedWeight {
    let numbers: OnnxValue
    let scales: OnnxValue
}

/// How weights are rounded to 8 bits or fewer: symmetrically, so that 0 stays 0.
enum WeightQuantizer {
    /// The scale with which `largest` becomes `limit`; 1 for weights so small that they are 0.
    static func scale(_ largest: Float, limit: Float) -> Float {
        let scale = largest / limit
        return scale >= .leastNormalMagnitude ? scale : 1
    }

    /// The whole number nearest to `value / scale`, the even one of two, within ±`limit`.
    static func round(_ value: Float, scale: Float, limit: Float) -> Float {
        min(max((value / scale).rounded(.toNearestOrEven), -limit), limit)
    }

    /// A matrix `[K, N]` with a scale for each column: int8 `[K, N]` and scales `[N]`.
    ///
    /// Throws `.nonFiniteValue`.
    static func columns(
        _ matrix: Matrix, limit: Int, name: String
    ) throws(ConcordError) -> RoundedWeight {
        let (rows, columns) = (matrix.rows, matrix.columns)
        var scales = [Float](repeating: 0, count: columns)
        var numbers = [Int8](repeating: 0, count: rows * columns)
        matrix.values.withUnsafeBufferPointer { values in
            for row in 0..<rows {
                for column in 0..<columns {
                    scales[column] = largest(scales[column], values[row * columns + column])
                }
            }
        }
        try check(scales, name)
        let limit = Float(limit)
        for column in 0..<columns { scales[column] = scale(scales[column], limit: limit) }
        matrix.values.withUnsafeBufferPointer { values in
            numbers.withUnsafeMutableBufferPointer { numbers in
                for row in 0..<rows {
                    for column in 0..<columns {
                        let index = row * columns + column
                        numbers[index] = Int8(round(values[index], scale: scales[column], limit: limit))
                    }
                }
            }
        }
        return try RoundedWeight(
            numbers: OnnxValue(numbers, shape: [rows, columns]), scales: OnnxValue(scales, shape: [columns]))
    }

    /// Any weight with a scale for each index of its first axis: int8 of the same shape, and scales `[first]`.
    ///
    /// - Parameter minimumScales: what each scale is at least; empty for nothing.
    /// - Throws: `.nonFiniteValue`.
    static func rows(
        _ weight: OnnxValue, limit: Int, minimumScales: [Float] = [], name: String
    ) throws(ConcordError) -> RoundedWeight {
        let rows = weight.shape.first ?? 1
        let values = try weight.values(of: Float.self)
        let width = rows > 0 ? values.count / rows : 0
        var scales = [Float](repeating: 0, count: rows)
        var numbers = [Int8](repeating: 0, count: values.count)
        let limit = Float(limit)
        for row in 0..<rows {
            scales[row] = values[row * width..<(row + 1) * width].reduce(0, largest)
        }
        try check(scales, name)
        for row in 0..<rows {
            scales[row] = scale(scales[row], limit: limit)
            if !minimumScales.isEmpty { scales[row] = max(scales[row], minimumScales[row]) }
            for index in row * width..<(row + 1) * width {
                numbers[index] = Int8(round(values[index], scale: scales[row], limit: limit))
            }
        }
        return try RoundedWeight(
            numbers: OnnxValue(numbers, shape: weight.shape), scales: OnnxValue(scales, shape: [rows]))
    }

    /// A matrix `[K, N]` as ONNX Runtime's `MatMulNBits` takes it: uint8 `[N, blocks, size]`, in which 128 is 0, and
    /// scales `[N, blocks]`. The last block is filled up with zeros.
    ///
    /// Throws `.nonFiniteValue`.
    static func blocks(
        _ matrix: Matrix, size: Int, name: String
    ) throws(ConcordError) -> RoundedWeight {
        let (rows, columns) = (matrix.rows, matrix.columns)
        let blocks = (rows + size - 1) / size
        var scales = [Float](repeating: 0, count: columns * blocks)
        var numbers = [UInt8](repeating: 128, count: columns * blocks * size)
        matrix.values.withUnsafeBufferPointer { values in
            for row in 0..<rows {
                for column in 0..<columns {
                    let index = column * blocks + row / size
                    scales[index] = largest(scales[index], values[row * columns + column])
                }
            }
        }
        try check(scales, name)
        for index in scales.indices { scales[index] = scale(scales[index], limit: 127) }
        matrix.values.withUnsafeBufferPointer { values in
            numbers.withUnsafeMutableBufferPointer { numbers in
                for column in 0..<columns {
                    for row in 0..<rows {
                        let block = column * blocks + row / size
                        let number = round(values[row * columns + column], scale: scales[block], limit: 127)
                        numbers[block * size + row % size] = UInt8(number + 128)
                    }
                }
            }
        }
        return try RoundedWeight(
            numbers: OnnxValue(numbers, shape: [columns, blocks, size]),
            scales: OnnxValue(scales, shape: [columns, blocks]))
    }

    /// The larger magnitude; NaN where either is, so that it is noticed.
    private static func largest(_ known: Float, _ value: Float) -> Float {
        let value = abs(value)
        return value > known || value.isNaN ? value : known
    }

    /// Throws `.nonFiniteValue` when one of `values` is no number.
    static func check(_ values: [Float], _ name: String) throws(ConcordError) {
        guard values.allSatisfy(\.isFinite) else {
            throw ConcordError(
                .nonFiniteValue,
                "the weight '\(name)' has NaN or infinity among its elements, which have no 8-bit form; train or "
                    + "export the model again")
        }
    }
}

/// A product's weight as it is multiplied: `[in, out]`, row-major.
struct Matrix {
    let rows: Int
    let columns: Int
    let values: [Float]

    /// The weight of a product; that of a `Gemm` with its factor, and turned where the `Gemm` turns it.
    init(_ weight: OnnxValue, of node: OnnxNodeProto) throws(ConcordError) {
        var values = try weight.values(of: Float.self)
        guard weight.shape.count == 2 else {
            throw ConcordError(.shapeMismatch, "a product's weight is a matrix, got the shape \(weight.shape)")
        }
        let isGemm = node.opType == "Gemm"
        let factor = isGemm ? node.float("alpha", default: 1) : 1
        if factor != 1 { for index in values.indices { values[index] *= factor } }
        guard isGemm, node.int("transB", default: 0) != 0 else {
            (rows, columns) = (weight.shape[0], weight.shape[1])
            self.values = values
            return
        }
        (rows, columns) = (weight.shape[1], weight.shape[0])
        var turned = [Float](repeating: 0, count: values.count)
        for row in 0..<rows {
            for column in 0..<columns { turned[row * columns + column] = values[column * rows + row] }
        }
        self.values = turned
    }
}
