import ConcordEvaluate
import ConcordONNX
import ConcordRuntime
import Foundation

/// Counts the batches that quantization runs, and shows them with what they are run for.
///
/// `@unchecked Sendable`: the counts are touched only while `lock` is held.
package final class QuantizationProgress: @unchecked Sendable {
    /// What batches are run for.
    package enum Step: String, Sendable {
        case calibration, layers, gate, retrieval, speed
    }

    private struct Pass: Hashable {
        let role: ArtifactManifest.GraphRole
        let step: Step
    }

    private let display: ProgressDisplay?
    private let lock = NSLock()
    private var done = 0, total = 0
    /// How often each pass is still expected.
    private var expected: [Pass: Int] = [:]

    package init(_ display: ProgressDisplay?) { self.display = display }

    /// Says that `count` batches will be run for a step.
    package func expect(_ role: ArtifactManifest.GraphRole, _ step: Step, count: Int) {
        lock.withLock {
            total += count
            expected[Pass(role: role, step: step), default: 0] += 1
        }
    }

    /// Begins a step; one that nobody expected, as when the gate is tried again, makes the whole longer.
    package func begin(_ role: ArtifactManifest.GraphRole, _ step: Step, count: Int) {
        lock.withLock {
            let pass = Pass(role: role, step: step)
            if let passes = expected[pass], passes > 0 { expected[pass] = passes - 1 } else { total += count }
            show(pass)
        }
    }

    /// Says that one more batch was run.
    package func advance(_ role: ArtifactManifest.GraphRole, _ step: Step) {
        lock.withLock {
            done += 1
            show(Pass(role: role, step: step))
        }
    }

    private func show(_ pass: Pass) {
        display?.show(done: done, of: total, details: ["\(pass.role.rawValue): \(pass.step.rawValue)"])
    }

    /// Batches that count themselves, from the first to the last, each time they are gone through.
    package func counted(
        _ batches: [[String: OnnxValue]], _ role: ArtifactManifest.GraphRole, _ step: Step
    ) -> QuantizationBatches {
        QuantizationBatches { [self] index in
            if index == 0 { begin(role, step, count: batches.count) }
            guard batches.indices.contains(index) else { return nil }
            // As it begins: who takes the batches does not always ask for one behind the last.
            advance(role, step)
            return batches[index]
        }
    }
}
