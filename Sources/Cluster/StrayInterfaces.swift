/// The network interfaces among `names` that Open MPI takes for a way to the other machines and that are none: bridges
/// and tunnels of containers and virtual machines, which have the same address everywhere.
public func strayInterfaces(_ names: [String]) -> [String] {
    let families = [
        "docker", "virbr", "br-", "lxc", "lxdbr", "cni", "flannel", "podman", "veth", "cali", "tun", "tap", "vnet",
    ]
    return names.filter { name in families.contains { name.hasPrefix($0) } }
}
