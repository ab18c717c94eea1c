import ArgumentParser
import Concord

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Show versions, devices and threads, and what is missing.",
        discussion: """
            The exit status is 1 if something that training needs is missing.

            Examples:
              concord doctor
              concord doctor --json
            """)

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let diagnosis = Diagnosis.take()
        print(json ? diagnosis.json.text(pretty: true) : diagnosis.text)
        if !diagnosis.problems.isEmpty { throw ExitCode.failure }
    }
}
