import ConcordCore
import ConcordEvaluate
import Foundation

/// `metrics.jsonl`: one JSON object a logged step, each appended by one write, so that a killed run keeps its lines.
public final class MetricsLog {
    private let file: AppendFile

    /// Starts a new log, or goes on with the one at `path`.
    ///
    /// - Parameter resumedStep: the step of the checkpoint that the run goes on from. Lines of later steps, and a last
    ///   line that was cut off, are removed, atomically. Nil starts anew: an older file is replaced.
    /// - Throws: `.fileSystem`, or `.malformedText` for a line in the middle that is not a record.
    public init(path: String, resumedStep: Int? = nil) throws {
        if let resumedStep, Files.exists(path) {
            let kept = try Self.records(path).filter { $0.step <= resumedStep }
            try Files.replace(path, with: kept.flatMap { $0.line + [UInt8(ascii: "\n")] })
        } else {
            try Files.replace(path, with: [])
        }
        file = try AppendFile(path: path, isNew: false)
    }

    /// Appends one line: the step, then the values in the order given. NaN and infinities become `null`.
    ///
    /// - Throws: `.fileSystem`.
    public func append(step: Int, _ values: [(name: String, value: Double)]) throws(ConcordError) {
        let members = values.map { JSONValue.Member($0.name, .number($0.value)) }
        let record = JSONValue.object([.init("step", .integer(step))] + members)
        try file.append(Array((record.text() + "\n").utf8))
    }

    /// The records of a log, oldest first; a last line that was cut off is left out.
    ///
    /// - Throws: `.fileSystem`, or `.malformedText` for any other line that is not a record.
    public static func read(_ path: String) throws(ConcordError) -> [JSONValue] {
        try records(path).map(\.value)
    }

    private struct Record {
        let step: Int
        let value: JSONValue
        let line: [UInt8]
    }

    private static func records(_ path: String) throws(ConcordError) -> [Record] {
        var lines = try Files.read(path).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        // What follows the last newline is nothing, or a record whose write was cut off.
        lines.removeLast()
        var records = [Record]()
        for (index, line) in lines.enumerated() {
            let source = "line \(index + 1) of \(path)"
            let value = try JSONValue(parsing: line, source: source)
            guard let step = value["step"]?.int else {
                throw ConcordError(.malformedText, "\(source) has no whole number as its `step`; remove the line")
            }
            records.append(Record(step: step, value: value, line: Array(line)))
        }
        return records
    }
}

/// The values of the logged steps, as JSON lines and for TensorBoard.
struct TrainingLog {
    private let metrics: MetricsLog
    private let events: EventFileWriter

    init(_ folder: RunFolder, resumedStep: Int?) throws {
        metrics = try MetricsLog(path: folder.metrics, resumedStep: resumedStep)
        // A run that was killed before its first checkpoint has left events that belong to nothing.
        if resumedStep == nil { try? FileManager.default.removeItem(atPath: folder.events) }
        events = try EventFileWriter(
            folder: folder.events, time: Date().timeIntervalSince1970, host: ProcessInfo.processInfo.hostName,
            resumedStep: resumedStep.map { $0 + 1 })
    }

    func append(_ report: TrainingStep) throws {
        try metrics.append(step: report.step, report.values)
        try events.append(
            step: report.step, time: Date().timeIntervalSince1970,
            report.values.map { (tag: "train/" + $0.name, value: $0.value) })
    }
}
