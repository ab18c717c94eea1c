import ConcordCore
import ConcordEvaluate

/// Writes scalars as a TensorBoard event file: TFRecord framing around protocol buffers of type `tensorflow.Event`.
///
/// A run that goes on writes a new file beside the old one, which starts with a session mark; TensorBoard then drops
/// the events of the interrupted session from that step on.
package final class EventFileWriter {
    private let file: AppendFile

    /// The file's path: `events.out.tfevents.<seconds>.<host>` in the folder.
    package var path: String { file.path }

    /// Starts a new file.
    ///
    /// - Parameters:
    ///   - folder: made if it is not there.
    ///   - time: now, in seconds since 1970.
    ///   - host: the machine's name.
    ///   - resumedStep: the first step of this session when it goes on with an earlier one.
    /// - Throws: `.fileSystem`.
    package init(folder: String, time: Double, host: String, resumedStep: Int? = nil) throws(ConcordError) {
        try Files.makeFolder(folder)
        // A slash in a host name would name another folder.
        let host = host.split(separator: "/").joined(separator: "-")
        var second = Int(time)
        func path() -> String { "\(folder)/events.out.tfevents.\(second).\(host)" }
        // A later second rather than a suffix: TensorBoard reads the files in the order of their names.
        while Files.exists(path()) { second += 1 }
        file = try AppendFile(path: path(), isNew: true)
        try write(Self.event(time: time) { $0.string(3, "brain.Event:2") })
        if let resumedStep {
            let sessionStart: UInt64 = 1
            try write(
                Self.event(time: time, step: resumedStep) { event in
                    event.message(7) { $0.integer(1, sessionStart) }
                })
        }
    }

    /// Appends the values of one step, in the order given.
    ///
    /// - Parameters:
    ///   - scalars: tags such as `train/loss` and their values; NaN and infinities are kept.
    ///   - time: now, in seconds since 1970.
    /// - Throws: `.fileSystem`.
    package func append(
        step: Int, time: Double, _ scalars: [(tag: String, value: Double)]
    ) throws(ConcordError) {
        try write(
            Self.event(time: time, step: step) { event in
                event.message(5) { summary in
                    for (tag, value) in scalars {
                        summary.message(1) { entry in
                            entry.string(1, tag)
                            entry.float(2, Float(value))
                        }
                    }
                }
            })
    }

    private static func event(
        time: Double, step: Int = 0, _ fill: (inout ProtocolBuffer) -> Void
    ) -> ProtocolBuffer {
        var event = ProtocolBuffer()
        event.double(1, time)
        if step != 0 { event.integer(2, UInt64(bitPattern: Int64(step))) }
        fill(&event)
        return event
    }

    /// A record: length, its checksum, the data, its checksum; all little-endian.
    private func write(_ event: ProtocolBuffer) throws(ConcordError) {
        let length = withUnsafeBytes(of: UInt64(event.bytes.count).littleEndian, Array.init)
        func checksum(_ bytes: [UInt8]) -> [UInt8] {
            withUnsafeBytes(of: CRC32C.masked(bytes).littleEndian, Array.init)
        }
        try file.append(length + checksum(length) + event.bytes + checksum(event.bytes))
    }
}

/// The few wire types of protocol buffers that events need.
private struct ProtocolBuffer {
    private(set) var bytes: [UInt8] = []

    private mutating func variable(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private mutating func key(_ field: UInt64, wireType: UInt64) { variable(field << 3 | wireType) }

    mutating func integer(_ field: UInt64, _ value: UInt64) {
        key(field, wireType: 0)
        variable(value)
    }

    mutating func double(_ field: UInt64, _ value: Double) {
        key(field, wireType: 1)
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func float(_ field: UInt64, _ value: Float) {
        key(field, wireType: 5)
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func string(_ field: UInt64, _ text: String) { data(field, Array(text.utf8)) }

    mutating func message(_ field: UInt64, _ fill: (inout ProtocolBuffer) -> Void) {
        var inner = ProtocolBuffer()
        fill(&inner)
        data(field, inner.bytes)
    }

    private mutating func data(_ field: UInt64, _ content: [UInt8]) {
        key(field, wireType: 2)
        variable(UInt64(content.count))
        bytes += content
    }
}

/// The Castagnoli checksum (polynomial 0x1EDC6F41, reflected), as TFRecord files use it.
package enum CRC32C {
    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? (value >> 1) ^ 0x82F6_3B78 : value >> 1 }
    }

    package static func checksum(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(~0) { value, byte in table[Int(UInt8(truncatingIfNeeded: value) ^ byte)] ^ (value >> 8) }
    }

    /// TFRecord's form: rotated and shifted, so that the checksum of data with checksums in it is sound.
    static func masked(_ bytes: [UInt8]) -> UInt32 {
        let value = checksum(bytes)
        return ((value >> 15) | (value << 17)) &+ 0xA282_EAD8
    }
}
