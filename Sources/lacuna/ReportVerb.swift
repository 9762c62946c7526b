import ArgumentParser
import Evaluation
import Platform
import Training

struct ReportVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Write one HTML page about a run, or about several over each other.",
        discussion: """
            Curves, evaluations with their evaluation cards, images, where the time went, checkpoints, environment and \
            recipe. The page needs no network and no other file. It may be made while the run goes on; make it again \
            to see more.

            Examples:
              lacuna report runs/simmim-vit_micro-digits
              lacuna report runs/first runs/second --output both.html
            """)

    @Argument(help: "Run folders.")
    var runs: [String]

    @Option(help: "The page (default: report.html in the run folder; needed for several runs).")
    var output: String?

    @Flag(help: "Also read every byte of the checkpoints and compare it with its checksum.")
    var verify = false

    func validate() throws {
        if runs.count > 1 && output == nil {
            throw ValidationError("--output FILE is needed for \(runs.count) runs: no folder is theirs alone")
        }
    }

    func run() throws {
        let meter = ProgressMeter("verify", "bytes")
        let report = try RunReport(runs, verifying: verify ? { meter.show($0, of: $1) } : nil)
        meter.finish()
        let path = output ?? runs[0] + (runs[0].hasSuffix("/") ? "" : "/") + "report.html"
        let page = report.page
        try OutputFile.write(page, to: path)
        writeOutput("\(path): \(sizeText(page.count))\n")
    }
}
