import ConcordCore
import ConcordEvaluate
import Testing

@Suite struct ReportsProgressTests {
    private let line = ProgressLine(
        done: 120, total: 260, elapsed: 71, details: ["loss 2.31", "acc 41 %", "512 samples/s"])

    @Test func drawsTheBarIntoTheWidth() {
        #expect(
            line.bar(width: 80) == "step 120/260 [=========>             ] loss 2.31 acc 41 % 512 samples/s ETA 1:23")
        #expect(line.bar(width: 60) == "step 120/260 [======>          ] loss 2.31 acc 41 % ETA 1:23")
        #expect(line.bar(width: 40) == "step 120/260 [======>         ] ETA 1:23")
        #expect(line.bar(width: 30) == "step 120/260 ETA 1:23")
        #expect(line.bar(width: 8) == "step 120")
        #expect(line.bar(width: 0).isEmpty)
        for width in 0...200 { #expect(line.bar(width: width).count <= width) }
        #expect(line.plain() == "step 120/260 loss 2.31 acc 41 % 512 samples/s ETA 1:23")
    }

    @Test func beginsAndEnds() {
        let first = ProgressLine(done: 0, total: 10, elapsed: 0)
        #expect(first.bar(width: 36) == "step 0/10 [                  ] ETA –")
        let last = ProgressLine(unit: "image", done: 10, total: 10, elapsed: 3723)
        #expect(last.bar(width: 40) == "image 10/10 [===============] in 1:02:03")
        #expect(ProgressLine(done: 3, total: 0, elapsed: 1).plain() == "step 3/0 in 0:01")
    }

    @Test func aResumedRunEstimatesFromItsOwnSteps() {
        // Ten of this run's steps in ten seconds; the hundred before it took no time here.
        let resumed = ProgressLine(done: 110, total: 130, doneBefore: 100, elapsed: 10)
        #expect(resumed.remaining == 20)
        #expect(ProgressLine(done: 100, total: 130, doneBefore: 100, elapsed: 1).remaining == nil)
    }

    @Test func bytesHaveOneUnit() {
        let line = ProgressLine(
            unit: "pulling", done: 12_000_000, total: 605_247_000, elapsed: 6, details: ["2.0 MB/s"], isBytes: true)
        #expect(line.plain() == "pulling 12.0/605.2 MB 2.0 MB/s ETA 4:57")
        #expect(line.bar(width: 56) == "pulling 12.0/605.2 MB [              ] 2.0 MB/s ETA 4:57")
        #expect(
            ProgressLine(unit: "pulling", done: 0, total: 999, elapsed: 0, isBytes: true).plain()
                == "pulling 0/999 B ETA –")
        #expect(NumberText.bytes(1_500) == "1.5 kB" && NumberText.bytes(2_000_000_000) == "2.0 GB")
    }

    @Test func colorsOnlyTheBar() {
        let plain = line.bar(width: 80)
        let colored = line.bar(width: 80, usesColor: true)
        #expect(colored.replacing("\u{1B}[32m", with: "").replacing("\u{1B}[0m", with: "") == plain)
        #expect(colored.contains("[\u{1B}[32m=========>\u{1B}[0m "))
    }

    /// What a bar wrote, piece by piece.
    private final class Output { var pieces = [String]() }

    private func bar(isInteractive: Bool, _ output: Output) -> ProgressBar {
        ProgressBar(isInteractive: isInteractive, usesColor: false, width: { 41 }) { output.pieces.append($0) }
    }

    private func state(_ done: Int, at elapsed: Double) -> ProgressLine {
        ProgressLine(done: done, total: 100, elapsed: elapsed)
    }

    @Test func redrawsInPlaceAtMostTenTimesASecond() {
        let output = Output()
        let bar = bar(isInteractive: true, output)
        for tick in 0..<100 { bar.update(state(tick, at: Double(tick) / 64)) }
        // 1.5 seconds in ticks of a 64th: the first, and one at every seventh tick after it.
        #expect(output.pieces.count == 15)
        #expect(output.pieces.allSatisfy { $0.hasPrefix("\r\u{1B}[2Kstep ") && !$0.contains("\n") })
        bar.print("saved")
        #expect(output.pieces.last == "\r\u{1B}[2Ksaved\n")
        bar.update(state(99, at: 1.5625))
        bar.update(state(100, at: 1.57))
        #expect(output.pieces.suffix(3).first?.contains("99/100") == true)
        #expect(output.pieces.suffix(2).first?.contains("100/100") == true)
        #expect(output.pieces.last == "\n")
        bar.finish()
        #expect(output.pieces.last == "\n" && output.pieces.count == 19)
    }

    @Test func writesPlainLinesNowAndThenElsewhere() {
        let output = Output()
        let bar = bar(isInteractive: false, output)
        for step in 0...100 { bar.update(state(step, at: Double(step) / 4)) }
        bar.print("saved")
        bar.finish()
        #expect(
            output.pieces == [
                "step 0/100 ETA –\n", "step 40/100 ETA 0:15\n", "step 80/100 ETA 0:05\n", "step 100/100 in 0:25\n",
                "saved\n",
            ])
    }

    @Test(
        arguments: [
            (true, [:], true, true), (false, [:], false, false), (true, ["TERM": "dumb"], false, false),
            (true, ["NO_COLOR": "1"], true, false), (true, ["NO_COLOR": ""], true, true),
            (true, ["TERM": "xterm-256color"], true, true),
        ] as [(Bool, [String: String], Bool, Bool)])
    func terminals(_ isTerminal: Bool, _ environment: [String: String], _ isInteractive: Bool, _ usesColor: Bool) {
        let terminal = Terminal(descriptor: -1, isTerminal: isTerminal, environment: environment)
        #expect(terminal.isInteractive == isInteractive)
        #expect(terminal.usesColor == usesColor)
        #expect(terminal.width == 80)
    }

    @Test(
        arguments: [
            (2.305, 2, "2.31"), (0.999, 2, "1.00"), (-0.004, 2, "0.00"), (-1.5, 1, "-1.5"), (12, 0, "12"),
            (0.05, 1, "0.1"), (.nan, 2, "NaN"), (-.infinity, 2, "−∞"),
        ] as [(Double, Int, String)])
    func fixedNumbers(_ value: Double, _ decimals: Int, _ text: String) {
        #expect(NumberText.fixed(value, decimals: decimals) == text)
    }

    @Test(
        arguments: [
            (2.3149, "2.31"), (0.0005, "0.000500"), (3e-6, "3e-6"), (-41.27, "-41.3"), (0, "0"), (512.4, "512"),
            (1.5e9, "1.5e9"), (.nan, "NaN"),
        ] as [(Double, String)])
    func significantNumbers(_ value: Double, _ text: String) {
        #expect(NumberText.significant(value) == text)
    }

    @Test(
        arguments: [
            (0.25, "0.25"), (1000, "1000"), (15_000, "15k"), (2_500_000, "2.5M"), (3e-5, "3e-5"), (-20, "-20"),
            (0, "0"),
        ] as [(Double, String)])
    func ticks(_ value: Double, _ text: String) {
        #expect(NumberText.tick(value) == text)
    }
}
