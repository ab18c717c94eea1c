import ArgumentParser
import ConcordCore
import ConcordTensor
import Foundation

/// What a process of a group does in tests that kill or stop one of them. A heart is silent for 2 s before it counts as
/// dead.
enum GroupScenario: String, ExpressibleByArgument {
    /// Sums gradients without end.
    case training
    /// Rank 0 computes without the others for three times as long as a heart may be silent.
    case evaluation
    /// Every rank computes without the others, without end.
    case busy

    func run() throws {
        guard let place = try ProcessMembership.fromEnvironment() else {
            throw ConcordError(.invalidConfiguration, "a process of a group needs MASTER_ADDR and the others")
        }
        let group = try ProcessGroup(place, timeout: 30, silence: 2, grace: self == .busy ? 1 : nil)
        do {
            try take(group)
            group.leave()
        } catch {
            group.leave(because: error)
            FileHandle.standardError.write(Data("\(error)\n".utf8))
            throw ExitCode(ProcessGroup.failureStatus)
        }
    }

    private func take(_ group: ProcessGroup) throws {
        let parameter = Tensor.ones([1000])
        parameter.requiresGradient = true
        let reducer = try GradientReducer([parameter], group: group)
        var step = 0
        repeat {
            parameter.clearGradient()
            try reducer.backward(parameter.square().sum())
            step += 1
            if step == 3 { Message.say("ready") }
            if self == .evaluation, step == 3, group.rank == 0 { Thread.sleep(forTimeInterval: 6) }
            while self == .busy, step == 3 { Thread.sleep(forTimeInterval: 1) }
        } while self != .evaluation || step < 6
    }
}

private enum Message {
    /// Prints a line that others see at once.
    static func say(_ line: String) {
        print(line)
        fflush(nil)
    }
}
