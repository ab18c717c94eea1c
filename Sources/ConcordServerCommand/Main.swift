import ArgumentParser
import ConcordServer

@main
enum Main {
    static func main() async { await ServeCommand.main() }
}
