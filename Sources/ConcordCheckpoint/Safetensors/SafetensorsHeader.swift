import ConcordCore

/// The checked header of a safetensors file.
struct SafetensorsHeader {
    private(set) var metadata: [String: String] = [:]
    private(set) var entries: [SafetensorsFile.Entry] = []
    private(set) var unreadable: [SafetensorsFile.UnreadableEntry] = []
    private(set) var positions: [[UInt8]: Int] = [:]

    static let lengthByteCount = 8
    /// The reference implementation's own limit.
    static let maximumByteCount = 100_000_000

    private let path: String

    init(_ file: FileReader) throws(ConcordError) {
        path = file.path
        let start = try file.read(0..<min(file.count, ForeignContent.lookLength))
        try ForeignContent.refuse(start, path: path, .invalidCheckpoint)
        let dataStart = try Self.dataStart(file, start)
        let text = try file.read(Self.lengthByteCount..<dataStart)
        guard text.first == UInt8(ascii: "{") else { throw failure("its header does not begin with a brace") }
        let header: JSONValue
        do throws(ConcordError) {
            header = try JSONValue(parsing: text, source: "the header of \(path)")
        } catch {
            throw ConcordError(.invalidCheckpoint, "\(error.message); the file is damaged, fetch or save it again")
        }
        for member in header.members ?? [] {
            if member.name == "__metadata__" {
                try readMetadata(member.value)
            } else {
                try addEntry(member, dataStart: dataStart)
            }
        }
        // A stable order by range: tensors without elements share an offset with the next one.
        func isBefore(_ left: Range<Int>, _ right: Range<Int>) -> Bool {
            (left.lowerBound, left.upperBound) < (right.lowerBound, right.upperBound)
        }
        entries.sort { isBefore($0.byteRange, $1.byteRange) }
        let ranges = entries.map { ($0.name, $0.byteRange) } + unreadable.map { ($0.name, $0.byteRange) }
        try checkTiling(ranges.sorted { isBefore($0.1, $1.1) }, dataStart: dataStart, dataEnd: file.count)
        try indexNames()
    }

    private func failure(_ problem: String) -> ConcordError { Self.failure(path, problem) }

    private static func failure(_ path: String, _ problem: String) -> ConcordError {
        ConcordError(
            .invalidCheckpoint,
            "\(path) is not a valid safetensors file: \(problem); it is damaged or of another kind, fetch or save it again"
        )
    }

    /// The offset of the first byte after the header.
    ///
    /// - Parameter start: the first bytes of the file.
    private static func dataStart(_ file: FileReader, _ start: [UInt8]) throws(ConcordError) -> Int {
        let path = file.path
        guard file.count >= lengthByteCount else {
            throw failure(path, "it has \(file.count) bytes, fewer than the eight of the header length")
        }
        let length = start.prefix(lengthByteCount).reversed().reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
        guard length <= UInt64(maximumByteCount) else {
            // What a server says instead of a file is often one line.
            let text = start.prefix(60).prefix { (0x20..<0x7F).contains($0) }
            if text.count >= lengthByteCount {
                throw failure(path, "it begins with the text `\(String(decoding: text, as: UTF8.self))`")
            }
            throw failure(path, "it claims a header of \(length) bytes, more than the \(maximumByteCount) allowed")
        }
        guard Int(length) <= file.count - lengthByteCount else {
            throw ConcordError(
                .invalidCheckpoint,
                "\(path) is truncated within its header: \(file.count) bytes are there, and the header alone should "
                    + "have \(length); fetch it again")
        }
        return lengthByteCount + Int(length)
    }

    private mutating func readMetadata(_ value: JSONValue) throws(ConcordError) {
        guard metadata.isEmpty, let members = value.members else {
            throw failure("`__metadata__` must be one object of strings")
        }
        for member in members {
            guard let text = member.value.string else {
                throw failure("the metadata `\(member.name)` is \(member.value.text()), not a string")
            }
            guard metadata.updateValue(text, forKey: member.name) == nil else {
                throw failure("the metadata `\(member.name)` appears twice")
            }
        }
    }

    private mutating func addEntry(_ member: JSONValue.Member, dataStart: Int) throws(ConcordError) {
        func problem(_ text: String) -> ConcordError { failure("tensor `\(member.name)` \(text)") }
        guard let fields = member.value.members else { throw problem("is not described by an object") }
        for field in ["dtype", "shape", "data_offsets"] {
            let count = fields.count { $0.name == field }
            guard count == 1 else { throw problem(count == 0 ? "has no `\(field)`" : "has `\(field)` twice") }
        }
        guard let typeName = member.value["dtype"]?.string else { throw problem("has a `dtype` that is not a string") }
        let shape = try integers(member.value["shape"], of: member.name, field: "shape")
        let offsets = try integers(member.value["data_offsets"], of: member.name, field: "data_offsets")
        guard offsets.count == 2, offsets[0] <= offsets[1] else {
            throw problem("has the data offsets \(offsets), not a begin and an end")
        }
        guard offsets[1] <= Int.max - dataStart else {
            throw problem("ends at byte \(offsets[1]) of the data, which no file has")
        }
        let range = dataStart + offsets[0]..<dataStart + offsets[1]
        // Who needs the tensor refuses it; a model may do without.
        guard let dtype = DType(safetensorsName: typeName) else {
            return unreadable.append(.init(name: member.name, dtypeName: typeName, shape: shape, byteRange: range))
        }
        guard let size = byteCount(of: dtype, shape: shape) else {
            throw problem("has the shape \(shape), whose size overflows")
        }
        guard range.count == size else {
            throw problem("has \(range.count) bytes where \(typeName) \(shape) takes \(size)")
        }
        entries.append(.init(name: member.name, dtype: dtype, shape: shape, byteRange: range))
    }

    private func integers(_ value: JSONValue?, of name: String, field: String) throws(ConcordError) -> [Int] {
        var numbers = [Int]()
        for element in value?.elements ?? [.null] {
            guard case .integer(let number) = element, number >= 0 else {
                throw failure("tensor `\(name)` has a `\(field)` that is not a list of whole numbers ≥ 0")
            }
            numbers.append(number)
        }
        return numbers
    }

    /// The tensors, in the order of their bytes, must tile the data: no overlap, no hole, nothing after the last.
    private func checkTiling(
        _ tensors: [(name: String, range: Range<Int>)], dataStart: Int, dataEnd: Int
    ) throws(ConcordError) {
        var end = dataStart
        for (name, range) in tensors {
            guard range.lowerBound == end else {
                let kind = range.lowerBound < end ? "overlaps the tensor before it" : "leaves a hole before it"
                throw failure("tensor `\(name)` \(kind)")
            }
            end = range.upperBound
        }
        guard end <= dataEnd else {
            throw ConcordError(
                .invalidCheckpoint,
                "\(path) is truncated: \(dataEnd) bytes are there, and its header describes \(end); fetch it again")
        }
        guard end == dataEnd else { throw failure("\(dataEnd - end) bytes follow the last tensor") }
    }

    private mutating func indexNames() throws(ConcordError) {
        positions.reserveCapacity(entries.count)
        for (index, entry) in entries.enumerated() {
            guard positions.updateValue(index, forKey: Array(entry.name.utf8)) == nil else {
                throw failure("tensor `\(entry.name)` appears twice")
            }
        }
        var names = Set<[UInt8]>()
        for entry in unreadable {
            let name = Array(entry.name.utf8)
            guard positions[name] == nil, names.insert(name).inserted else {
                throw failure("tensor `\(entry.name)` appears twice")
            }
        }
    }
}

extension DType {
    /// The name of this type in a safetensors header.
    package var safetensorsName: String {
        switch self {
        case .float64: "F64"
        case .float32: "F32"
        case .bfloat16: "BF16"
        case .float16: "F16"
        case .int64: "I64"
        case .int32: "I32"
        case .uint8: "U8"
        case .bool: "BOOL"
        }
    }

    /// The type that a safetensors header calls `name`; nil for those that the tensor engine lacks.
    package init?(safetensorsName name: String) {
        guard let type = DType.allCases.first(where: { $0.safetensorsName == name }) else { return nil }
        self = type
    }

    /// Where tensors of this type stand in a file of the reference library: widest elements first, so that every
    /// tensor begins at a multiple of its element size.
    var safetensorsRank: Int {
        switch self {
        case .int64: 0
        case .float64: 1
        case .float32: 2
        case .int32: 3
        case .bfloat16: 4
        case .float16: 5
        case .uint8: 6
        case .bool: 7
        }
    }
}

/// The bytes that a tensor of this type and shape takes; nil when a size is negative or the product overflows.
func byteCount(of dtype: DType, shape: [Int]) -> Int? {
    var count = dtype.byteCount
    for size in shape {
        let (product, overflow) = count.multipliedReportingOverflow(by: size)
        guard size >= 0, !overflow else { return nil }
        count = product
    }
    return count
}
