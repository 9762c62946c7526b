import FoundationEssentials

/// The newest pictures of a run, inside the page.
struct PictureSection: ReportSection {
    let title = "Pictures"

    func content(_ runs: [ReportedRun]) -> HTML {
        each(runs) { run in "\(run.pictures.map(figure))" }
    }

    private func figure(_ picture: ReportedRun.Picture) -> HTML {
        let caption = caption(picture.name)
        if let problem = picture.problem { return "<p class=\"note\">\(picture.name): \(problem)</p>\n" }
        return """
            <figure class="picture"><img alt="\(caption)" src="data:image/png;base64,\
            \(Data(picture.bytes).base64EncodedString())"/>
            <figcaption>\(caption)</figcaption></figure>

            """
    }

    /// `step-140.png` is what `lacuna reconstruct` draws.
    private func caption(_ name: String) -> String {
        let stem = name.hasSuffix(".png") ? String(name.dropLast(4)) : name
        guard stem.hasPrefix("step-"), let step = Int(stem.dropFirst(5)) else { return stem }
        return "Step \(countText(step)); of each sample from left to right: "
            + Reconstruction.titles.joined(separator: ", ")
    }
}
