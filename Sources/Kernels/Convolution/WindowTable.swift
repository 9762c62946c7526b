import CKernels

/// Which rows of a source the windows of a convolution or a pooling read: for row r and tap t the number of a source
/// row, or a mark for a position that is masked or outside the map. The table covers `rows` rows over `sources` source
/// rows and repeats over the rest of a batch.
public struct WindowTable: Sendable {
    public let entries: Indices
    public let taps: Int
    public let rows: Int
    public let sources: Int

    /// - Parameter entries: rows × taps, written by `WorkerPool.fill(_:reach:cells:)`, whose entries are rows below
    ///   `sources`.
    public init(entries: Indices, taps: Int, rows: Int, sources: Int) {
        precondition(taps > 0 && entries.count == rows * taps, "a table holds rows × taps entries")
        self.entries = entries
        self.taps = taps
        self.rows = rows
        self.sources = sources
    }

    /// The first source rows of the repetition that `row` lies in, and the row of the table.
    func place(_ row: Int) -> (source: Int, row: Int) { (row / rows * sources, row % rows) }
}

/// The active cells of a batch of square grids, numbered image by image, row by row.
public struct CellNumbers: Sendable {
    /// Cells along a side of a grid.
    public let grid: Int
    /// (batch, grid, grid): the number of each cell, or the mark of a masked one.
    public let numbers: Indices
    /// The place of each active cell in `numbers`.
    public let places: Indices

    public init(grid: Int, numbers: Indices, places: Indices) {
        precondition(grid > 0 && numbers.count % (grid * grid) == 0, "numbers of whole grids")
        self.grid = grid
        self.numbers = numbers
        self.places = places
    }

    /// All cells of `batch` grids.
    public static func all(batch: Int, grid: Int) -> CellNumbers {
        let order = (0..<batch * grid * grid).map { Int32($0) }
        return CellNumbers(grid: grid, numbers: Indices(order), places: Indices(order))
    }

    /// Writes the numbers of the cells whose mask is 0.
    /// - Parameters:
    ///   - mask: (batch, grid, grid), 1 = masked; as many zeros as there are places.
    ///   - visible: zeros of each image, where all have as many. An image without a masked cell is an empty slot of its
    ///     batch: any cells of it stand for it.
    public func number(mask: Floats, visible: Int? = nil) {
        precondition(mask.count == numbers.count, "a mask of another grid")
        let area = grid * grid
        var next = 0
        for image in 0..<mask.count / area {
            let own = mask[image * area..<(image + 1) * area]
            let shown = (0..<area).count { own.base[$0] == 0 }
            let most = visible == nil || shown < area ? shown : min(visible ?? area, area)
            precondition(visible == nil || most == visible, "an image shows \(shown) cells, the plan \(visible ?? 0)")
            precondition(next + most <= places.count, "the mask shows more than the plan's \(places.count) cells")
            let last = next + most
            for cell in 0..<area {
                let isActive = own.base[cell] == 0 && next < last
                numbers.base[image * area + cell] = isActive ? Int32(next) : CK_MASKED
                guard isActive else { continue }
                places.base[next] = Int32(image * area + cell)
                next += 1
            }
        }
        precondition(next == places.count, "the mask shows \(next) cells, the plan has \(places.count)")
    }
}

/// The neighbouring cell that a tap lies in, and the place in its tile, for each position of a cell's tile and each
/// tap. Positions of a tile are row-major.
public struct WindowReach: Sendable {
    /// A tap at position (y, x) reads position (scale·y + down, scale·x + right) of the source.
    public struct Tap: Sendable, Hashable {
        public let down, right: Int
        public init(down: Int, right: Int) { (self.down, self.right) = (down, right) }
    }

    public let tile: Int
    public let sourceTile: Int
    public let taps: Int
    /// tile × taps: neighbour and position along y, then along x.
    fileprivate let cellsDown, linesDown, cellsRight, linesRight: Indices

    public init(tile: Int, sourceTile: Int, scale: Int, taps: [Tap]) {
        self.tile = tile
        self.sourceTile = sourceTile
        self.taps = taps.count
        func axis(_ offset: (Tap) -> Int) -> (Indices, Indices) {
            let sources = (0..<tile).flatMap { position in taps.map { position * scale + offset($0) } }
            let cells = sources.map { ($0 - (($0 % sourceTile + sourceTile) % sourceTile)) / sourceTile }
            let lines = zip(sources, cells).map { Int32($0 - $1 * sourceTile) }
            return (Indices(cells.map { Int32($0) }), Indices(lines))
        }
        (cellsDown, linesDown) = axis(\.down)
        (cellsRight, linesRight) = axis(\.right)
    }

    /// The table over some cells, written at once.
    public func table(over cells: CellNumbers) -> WindowTable {
        let rows = cells.places.count * tile * tile
        let entries = Indices(zeros: rows * taps)
        for cell in 0..<cells.places.count { fill(entries, cell: cell, cells) }
        return WindowTable(
            entries: entries, taps: taps, rows: rows, sources: cells.places.count * sourceTile * sourceTile)
    }

    fileprivate func fill(_ entries: Indices, cell: Int, _ cells: CellNumbers) {
        let grid = cells.grid
        let place = Int(cells.places.base[cell])
        let (down, right) = (place / grid % grid, place % grid)
        let image = cells.numbers.base + (place - down * grid - right)
        var to = entries.base + cell * tile * tile * taps
        for y in 0..<tile {
            for x in 0..<tile {
                for tap in 0..<taps {
                    let row = down + Int(cellsDown.base[y * taps + tap])
                    let column = right + Int(cellsRight.base[x * taps + tap])
                    var entry = CK_OUTSIDE
                    if row >= 0, row < grid, column >= 0, column < grid {
                        entry = image[row * grid + column]
                        if entry != CK_MASKED {
                            let line = linesDown.base[y * taps + tap], at = linesRight.base[x * taps + tap]
                            entry = (entry * Int32(sourceTile) + line) * Int32(sourceTile) + at
                        }
                    }
                    to[tap] = entry
                }
                to += taps
            }
        }
    }
}

extension WorkerPool {
    /// Writes the table of a reach over the active cells: one row for each position of each cell.
    public func fill(_ entries: Indices, reach: WindowReach, cells: CellNumbers) {
        precondition(
            entries.count == cells.places.count * reach.tile * reach.tile * reach.taps, "a table of another size")
        split(cells.places.count, grain: 16, (entries: entries, reach: reach, cells: cells)) { job, range in
            for cell in range { job.reach.fill(job.entries, cell: cell, job.cells) }
        }
    }
}

/// The windows of a first convolution over images with their padding: each line of a window is one run of pixels, so a
/// row of the table holds where its lines begin.
public struct ImageWindows: Sendable {
    /// Positions of the output along a side of a cell.
    public let tile: Int
    public let kernel, stride: Int
    /// Pixels along a side of the padded image.
    public let side: Int

    public init(tile: Int, kernel: Int, stride: Int, side: Int) {
        (self.tile, self.kernel, self.stride, self.side) = (tile, kernel, stride, side)
    }

    /// The table over some cells, written at once.
    public func table(over cells: CellNumbers) -> WindowTable {
        let rows = cells.places.count * tile * tile
        let entries = Indices(zeros: rows * kernel)
        for cell in 0..<cells.places.count { fill(entries, cell: cell, cells) }
        let images = cells.numbers.count / cells.grid / cells.grid
        return WindowTable(entries: entries, taps: kernel, rows: rows, sources: images * side * side)
    }

    fileprivate func fill(_ entries: Indices, cell: Int, _ cells: CellNumbers) {
        let grid = cells.grid
        let place = Int(cells.places.base[cell])
        let (image, down, right) = (place / grid / grid, place / grid % grid * tile, place % grid * tile)
        var to = entries.base + cell * tile * tile * kernel
        for y in down..<down + tile {
            for x in right..<right + tile {
                for line in 0..<kernel { to[line] = Int32(((image * side + y * stride + line) * side) + x * stride) }
                to += kernel
            }
        }
    }
}

/// The windows around active rows in the dense feature maps that they are a part of: for row r and tap t a position of
/// the maps, or the mark of one outside.
public struct MapWindows: Sendable {
    /// Positions along a side of a cell.
    public let tile: Int
    public let taps: Int
    private let down, right: Indices

    public init(tile: Int, taps: [WindowReach.Tap]) {
        (self.tile, self.taps) = (tile, taps.count)
        (down, right) = (Indices(taps.map { Int32($0.down) }), Indices(taps.map { Int32($0.right) }))
    }

    fileprivate func fill(_ entries: Indices, cell: Int, _ cells: CellNumbers) {
        let (grid, side) = (cells.grid, cells.grid * tile)
        let place = Int(cells.places.base[cell])
        let (image, top, left) = (place / grid / grid, place / grid % grid * tile, place % grid * tile)
        var to = entries.base + cell * tile * tile * taps
        for y in top..<top + tile {
            for x in left..<left + tile {
                for tap in 0..<taps {
                    let (row, column) = (y + Int(down.base[tap]), x + Int(right.base[tap]))
                    let isInside = row >= 0 && row < side && column >= 0 && column < side
                    to[tap] = isInside ? Int32((image * side + row) * side + column) : CK_OUTSIDE
                }
                to += taps
            }
        }
    }
}

extension WorkerPool {
    /// Writes the table of the windows around the rows of the active cells.
    public func fill(_ entries: Indices, around windows: MapWindows, cells: CellNumbers) {
        precondition(
            entries.count == cells.places.count * windows.tile * windows.tile * windows.taps, "a table of another size")
        split(cells.places.count, grain: 16, (entries: entries, windows: windows, cells: cells)) { job, range in
            for cell in range { job.windows.fill(job.entries, cell: cell, job.cells) }
        }
    }

    /// Writes the table of image windows over the active cells.
    public func fill(_ entries: Indices, windows: ImageWindows, cells: CellNumbers) {
        precondition(
            entries.count == cells.places.count * windows.tile * windows.tile * windows.kernel,
            "a table of another size")
        split(cells.places.count, grain: 16, (entries: entries, windows: windows, cells: cells)) { job, range in
            for cell in range { job.windows.fill(job.entries, cell: cell, job.cells) }
        }
    }

    /// Writes the row of an active cell's tile at each position of the dense feature maps, row-major, or the mark of a
    /// masked one.
    public func fillPlaces(_ entries: Indices, tile: Int, cells: CellNumbers) {
        let (grid, side) = (cells.grid, cells.grid * tile)
        precondition(entries.count == cells.numbers.count * tile * tile, "a table of another size")
        split(entries.count / side, grain: 16, (entries: entries.base, numbers: cells.numbers.base, tile, grid)) {
            job, lines in
            let (tile, grid) = (job.2, job.3)
            for line in lines {
                let (cells, y) = (job.numbers + line / tile * grid, line % tile)
                for x in 0..<grid * tile {
                    let cell = cells[x / tile]
                    let row = cell == CK_MASKED ? cell : (cell * Int32(tile) + Int32(y)) * Int32(tile) + Int32(x % tile)
                    job.entries[line * grid * tile + x] = row
                }
            }
        }
    }

    /// Images with a border of zeros; the pixels of masked cells become 0.
    /// image: (batch, side, side, channels); mask: (batch, grid, grid), 1 = masked;
    /// y: (batch, side + 2·padding, side + 2·padding, channels).
    public func padImages(
        _ image: Floats, mask: Floats?, grid: Int, side: Int, channels: Int, padding: Int, into y: Floats
    ) {
        let wide = side + 2 * padding
        let batch = image.count / side / side / channels
        precondition(image.count == batch * side * side * channels && side % grid == 0, "images of another side")
        precondition(y.count == batch * wide * wide * channels, "padded images of another side")
        precondition((mask?.count ?? batch * grid * grid) == batch * grid * grid, "a mask of another grid")
        split(
            batch * wide, grain: 64,
            (
                image: image.base, mask: mask?.base, y: y.base, grid: grid, side: side, channels: channels,
                padding: padding
            )
        ) { job, lines in
            let (wide, cell) = (job.side + 2 * job.padding, job.side / job.grid)
            for line in lines {
                let to = job.y + line * wide * job.channels
                to.update(repeating: 0, count: wide * job.channels)
                let (sample, y) = (line / wide, line % wide - job.padding)
                guard y >= 0, y < job.side else { continue }
                for x in 0..<job.grid {
                    if let mask = job.mask, mask[(sample * job.grid + y / cell) * job.grid + x] != 0 { continue }
                    let from = job.image + ((sample * job.side + y) * job.side + x * cell) * job.channels
                    (to + (job.padding + x * cell) * job.channels).update(from: from, count: cell * job.channels)
                }
            }
        }
    }
}
