/// An array in NumPy's file format `.npy` 1.0: little-endian values of any shape, the last dimension fastest.
///
/// The types are those that NumPy has too: all of `DType` but `bfloat16`.
package struct NumPyFile: Sendable, Hashable {
    package let dtype: DType
    /// The length of each dimension; empty for a single value.
    package let shape: [Int]
    /// The values in their order in memory.
    package let bytes: [UInt8]

    private static let magic = [0x93] + Array("NUMPY".utf8) + [1, 0]

    /// Writes an array, atomically.
    ///
    /// - Throws: `.fileSystem`; `.invalidConfiguration` for a type that NumPy lacks.
    package static func write(
        _ bytes: UnsafeRawBufferPointer, dtype: DType, shape: [Int], to path: String
    ) throws {
        precondition(
            shape.allSatisfy { $0 >= 0 } && bytes.count == shape.reduce(dtype.byteCount, *),
            "\(bytes.count) bytes do not make \(shape) of \(dtype)")
        let header = try header(dtype: dtype, shape: shape, path: path)
        try Files.replace(path) { file in
            try file.write(header)
            try file.write(bytes)
        }
    }

    /// Writes a float32 array whose rows, along the first dimension, are made one after the other, atomically: only
    /// one of them is in memory.
    ///
    /// - Throws: `.fileSystem`, and what `row` throws.
    package static func writeRows(shape: [Int], to path: String, row: (Int) throws -> [Float]) throws {
        let header = try header(dtype: .float32, shape: shape, path: path), length = shape.dropFirst().reduce(1, *)
        try Files.replace(path) { file in
            try file.write(header)
            for index in 0..<shape[0] {
                let values = try row(index)
                precondition(values.count == length, "a row of \(shape) has \(length) values, not \(values.count)")
                try values.withUnsafeBytes { try file.write($0) }
            }
        }
    }

    /// The header, for callers that write the values piece by piece.
    ///
    /// - Parameter path: what errors name.
    /// - Throws: `.invalidConfiguration` for a type that NumPy lacks.
    package static func header(dtype: DType, shape: [Int], path: String) throws(ConcordError) -> [UInt8] {
        guard let descriptor = descriptor(of: dtype) else {
            throw ConcordError(.invalidConfiguration, "\(path): NumPy has no \(dtype); write float32")
        }
        // A Python tuple of one needs its comma.
        let lengths = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
        var header = "{'descr': '\(descriptor)', 'fortran_order': False, 'shape': (\(lengths)), }"
        // The values start at a multiple of 64 bytes, and the header ends with a line feed.
        header += String(repeating: " ", count: 63 - (magic.count + 2 + header.utf8.count) % 64) + "\n"
        guard let length = UInt16(exactly: header.utf8.count) else {
            throw ConcordError(.invalidConfiguration, "\(path): an array of \(shape.count) dimensions is too much")
        }
        return magic + [UInt8(length & 255), UInt8(length >> 8)] + Array(header.utf8)
    }

    /// Reads an array.
    ///
    /// - Throws: `.fileSystem`; `.malformedText` for what is not a whole `.npy` file of a version, type and order that
    ///   this code writes.
    package init(path: String) throws(ConcordError) {
        let file = try Files.read(path)
        func problem(_ text: String) -> ConcordError {
            ConcordError(.malformedText, "\(path) is not a usable .npy file: \(text)")
        }
        guard file.count >= Self.magic.count + 2, file.starts(with: Self.magic) else {
            throw problem("it does not start as version 1.0 does; save it again with numpy.save")
        }
        let length = Int(file[Self.magic.count]) | Int(file[Self.magic.count + 1]) << 8
        let start = Self.magic.count + 2 + length
        guard start <= file.count else { throw problem("its header is cut off; fetch or write it again") }
        let header = String(decoding: file[(Self.magic.count + 2)..<start], as: UTF8.self)
        let name = Self.value(of: "descr", in: header).map { String($0.dropFirst().prefix { $0 != "'" }) } ?? ""
        guard let dtype = DType.allCases.first(where: { Self.descriptor(of: $0) == name }) else {
            throw problem("the type in its header, \(header), is not known; convert the array to float32")
        }
        guard Self.value(of: "fortran_order", in: header)?.hasPrefix("False") == true else {
            throw problem("its order is Fortran's; save numpy.ascontiguousarray of it")
        }
        guard let tuple = Self.value(of: "shape", in: header), tuple.hasPrefix("("),
            let end = tuple.firstIndex(of: ")")
        else { throw problem("its header, \(header), has no shape; write it again") }
        var (shape, size) = ([Int](), dtype.byteCount)
        for part in tuple[..<end].dropFirst().split(separator: ",") where !part.allSatisfy({ $0 == " " }) {
            let product = Int(part.drop { $0 == " " }).map { ($0, $0.multipliedReportingOverflow(by: size)) }
            guard let (length, (partialValue, overflow)) = product, length >= 0, !overflow else {
                throw problem("its shape \(tuple[...end]) is impossible; write it again")
            }
            shape.append(length)
            size = partialValue
        }
        guard file.count - start == size else {
            throw problem(
                "it has \(file.count - start) bytes of values, but its header says \(size); fetch or write it again")
        }
        self.dtype = dtype
        self.shape = shape
        bytes = Array(file[start...])
    }

    /// NumPy's name of a type; nil where it has none.
    private static func descriptor(of dtype: DType) -> String? {
        switch dtype {
        case .float64: "<f8"
        case .float32: "<f4"
        case .float16: "<f2"
        case .int64: "<i8"
        case .int32: "<i4"
        case .uint8: "|u1"
        case .bool: "|b1"
        case .bfloat16: nil
        }
    }

    /// The text after a key of the header, which is a Python dictionary.
    private static func value(of key: String, in header: String) -> Substring? {
        let name = "'\(key)':"
        var rest = header[...]
        while let quote = rest.firstIndex(of: "'") {
            rest = rest[quote...]
            if rest.hasPrefix(name) { return rest.dropFirst(name.count).drop { $0 == " " } }
            rest = rest.dropFirst()
        }
        return nil
    }
}
