import ConcordCore
import ConcordRuntime

/// The times of a float32 graph and its quantized form on the same inputs, taken in turn in one process.
package struct GraphSpeed: Sendable, Hashable {
    /// Medians, in milliseconds.
    package let float32, quantized: Double
    package let rows: Int

    private static let rounds = 9
    /// The number of runs in all.
    static let runCount = 2 * (rounds + 1)

    package init(float32: Double, quantized: Double, rows: Int) {
        self.float32 = float32
        self.quantized = quantized
        self.rows = rows
    }

    /// Runs both graphs on the same inputs in turn.
    static func measure(
        _ role: ArtifactManifest.GraphRole, _ inputs: [String: OnnxValue], float32: GraphSessions,
        quantized: GraphSessions, progress: QuantizationProgress
    ) throws(ConcordError) -> GraphSpeed {
        progress.begin(role, .speed, count: runCount)
        func time(_ sessions: GraphSessions) throws(ConcordError) -> Double {
            progress.advance(role, .speed)
            let start = ContinuousClock.now
            _ = try sessions.run(role, inputs)
            return (ContinuousClock.now - start) / .milliseconds(1)
        }
        var times: (float32: [Double], quantized: [Double]) = ([], [])
        // The first round finds the memory, and does not count.
        for round in 0...rounds {
            let pair = (try time(float32), try time(quantized))
            guard round > 0 else { continue }
            times.float32.append(pair.0)
            times.quantized.append(pair.1)
        }
        return GraphSpeed(
            float32: times.float32.sorted()[rounds / 2], quantized: times.quantized.sorted()[rounds / 2],
            rows: inputs.values.first?.shape.first ?? 0)
    }

    /// The speed of the quantized graph as a multiple of float32's.
    package var ratio: Double { float32 / quantized }

    var json: JSONValue {
        [
            "rows": .integer(rows), "float32_milliseconds": .number(float32),
            "quantized_milliseconds": .number(quantized), "ratio": .number(ratio),
        ]
    }
}
