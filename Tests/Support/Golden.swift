import ConcordCheckpoint
import ConcordCore

/// Reference values that a script under `scripts/golden` made with another library.
public enum Golden {
    /// A tensor of a golden file, its values widened to `Double`.
    public struct Tensor: Sendable {
        public let shape: [Int]
        public let values: [Double]

        public var floats: [Float] { values.map(Float.init) }
        public var integers: [Int] { values.map { Int($0) } }
    }

    /// The folder `Tests/Golden/<area>` of the package that `file`, a test's source, belongs to.
    public static func folder(_ area: String, file: StaticString = #filePath) -> String {
        var folder = Files.parent(of: "\(file)")
        while folder != "/", folder != ".", !folder.hasSuffix("/Tests") { folder = Files.parent(of: folder) }
        return folder + "/Golden/" + area
    }

    /// The tensors of `Tests/Golden/<area>/<name>` by name. Integers above 2⁵³ lose digits.
    public static func tensors(
        _ area: String, _ name: String, file: StaticString = #filePath
    ) throws -> [String: Tensor] {
        let golden = try SafetensorsFile(path: folder(area, file: file) + "/" + name)
        return Dictionary(
            uniqueKeysWithValues: try golden.entries.map { entry in
                let values = try golden.withUnsafeBytes(of: entry) { Golden.values($0, entry.dtype) }
                return (entry.name, Tensor(shape: entry.shape, values: values))
            })
    }

    /// The document `Tests/Golden/<area>/<name>`.
    public static func json(_ area: String, _ name: String, file: StaticString = #filePath) throws -> JSONValue {
        let path = folder(area, file: file) + "/" + name
        return try JSONValue(parsing: Files.read(path), source: path)
    }

    /// Little-endian values of any type, widened.
    public static func values(_ bytes: UnsafeRawBufferPointer, _ dtype: DType) -> [Double] {
        func read<Element: BitwiseCopyable>(_ type: Element.Type, _ widen: (Element) -> Double) -> [Double] {
            stride(from: 0, to: bytes.count, by: MemoryLayout<Element>.size).map {
                widen(bytes.loadUnaligned(fromByteOffset: $0, as: type))
            }
        }
        return switch dtype {
        case .float64: read(Double.self) { $0 }
        case .float32: read(Float.self) { Double($0) }
        // A bfloat16 is the upper half of a float32.
        case .bfloat16: read(UInt16.self) { Double(Float(bitPattern: UInt32($0) << 16)) }
        case .float16: read(UInt16.self) { widen(half: $0) }
        case .int64: read(Int64.self) { Double($0) }
        case .int32: read(Int32.self) { Double($0) }
        case .uint8, .bool: read(UInt8.self) { Double($0) }
        }
    }

    /// Written out, because `Float16` is missing on Intel Macs.
    private static func widen(half bits: UInt16) -> Double {
        let sign: Double = bits >> 15 == 0 ? 1 : -1
        let exponent = Int(bits >> 10) & 31
        let fraction = Double(bits & 1023) / 1024
        return switch exponent {
        case 0: sign * fraction * 0x1p-14
        case 31: fraction == 0 ? sign * .infinity : .nan
        default: sign * (1 + fraction) * Double(sign: .plus, exponent: exponent - 15, significand: 1)
        }
    }
}
