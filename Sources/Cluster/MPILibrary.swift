import COpenMPI
import Platform

/// The MPI library that this program has loaded. Asking starts nothing: also right without a launcher.
public enum MPILibrary {
    /// The library's description of itself, such as `Open MPI v4.1.4, package: …`.
    public static var text: String {
        var letters: [UInt8] = []
        while case let letter = lacuna_mpi_library_letter(Int32(letters.count)), letter != 0 { letters.append(letter) }
        return String(decoding: letters, as: UTF8.self)
    }

    /// The version of the headers that this program was built with.
    public static var builtWith: String { "\(OMPI_MAJOR_VERSION).\(OMPI_MINOR_VERSION).\(OMPI_RELEASE_VERSION)" }

    /// The number in a text such as `Open MPI v4.1.4, package` or `mpirun (Open MPI) 4.1.4`.
    public static func version(in text: String) -> String? {
        text.split { " ,()\n".contains($0) }.map { $0.hasPrefix("v") ? $0.dropFirst() : $0 }
            .first { word in word.contains(".") && word.allSatisfy { $0.isNumber || $0 == "." } }.map(String.init)
    }
}

/// The network interfaces among `names` that Open MPI takes for a way to the other machines and that are none: bridges
/// and tunnels of containers and virtual machines, which have the same address everywhere.
public func strayInterfaces(_ names: [String]) -> [String] {
    let families = [
        "docker", "virbr", "br-", "lxc", "lxdbr", "cni", "flannel", "podman", "veth", "cali", "tun", "tap", "vnet",
    ]
    return names.filter { name in families.contains { name.hasPrefix($0) } }
}

/// Names of the network interfaces of this machine, sorted.
public func networkInterfaces() -> [String] {
    ((try? Folder("/sys/class/net").names()) ?? []).filter { systemText("/sys/class/net/\($0)/operstate") != nil }
}
