// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Whose turn it is: the virtual time of every tenant that waits.
///
/// Start-time fair queueing (Goyal, Vin, Cheng: "Start-time Fair Queueing", SIGCOMM 1996), with every request counted as one unit of
/// work: a tenant's time rises by one over its weight for each of its requests that goes, and the tenant whose time is least is next. A
/// tenant that comes (back) starts at the time of the one served last, so that nobody saves up.
struct TenantTimes: Sendable {
    /// Most tenants that wait for nothing and are remembered, as they are ahead of the others. Each is ahead by one request at most, so
    /// little is lost when all are forgotten, and nobody fills the memory by coming under ever new names.
    static let idleLimit = 4096

    private struct Account: Sendable {
        var tenant: Tenant
        var time: Double
        var waiting = 0
    }

    /// A tenant has its number for as long as it is remembered; then the number is used again.
    private var accounts: [Account] = []
    private var free: [Int] = []
    private var numberOf: [Tenant: Int] = [:]
    private var idle = 0
    /// The time of the request that was served last.
    private var served = 0.0
    /// 1 where nothing is said.
    var weights: [Tenant: Double] = [:]

    /// Tenants that anything is known of.
    var count: Int { numberOf.count }

    func time(_ number: Int) -> Double { accounts[number].time }

    /// How many requests of the tenant's wait.
    func waiting(_ tenant: Tenant) -> Int { numberOf[tenant].map { accounts[$0].waiting } ?? 0 }

    /// By how much the time rises for one request.
    func step(_ number: Int) -> Double { weights.isEmpty ? 1 : 1 / max(0.001, weights[accounts[number].tenant] ?? 1) }

    /// One more of its requests waits.
    /// - Returns: the tenant's number.
    mutating func enter(_ tenant: Tenant) -> Int {
        let number = numberOf[tenant] ?? add(tenant)
        if accounts[number].waiting == 0 {
            accounts[number].time = max(accounts[number].time, served)
            idle -= 1
        }
        accounts[number].waiting += 1
        return number
    }

    /// One of its requests has got what it waited for; to be followed by `leave`.
    mutating func serve(_ number: Int) {
        served = max(served, accounts[number].time)
        accounts[number].time += step(number)
    }

    /// One of its requests waits no longer.
    mutating func leave(_ number: Int) {
        accounts[number].waiting -= 1
        guard accounts[number].waiting == 0 else { return }
        idle += 1
        // A tenant's time matters only while it is ahead of the others.
        if accounts[number].time <= served { forget(number) }
        if idle > Self.idleLimit { for number in numberOf.values where accounts[number].waiting == 0 { forget(number) } }
    }

    /// Nobody waits any more.
    mutating func reset() {
        accounts.removeAll(keepingCapacity: true)
        free.removeAll(keepingCapacity: true)
        numberOf.removeAll(keepingCapacity: true)
        idle = 0
    }

    private mutating func add(_ tenant: Tenant) -> Int {
        let account = Account(tenant: tenant, time: served)
        let number = free.popLast() ?? accounts.count
        if number < accounts.count { accounts[number] = account } else { accounts.append(account) }
        numberOf[tenant] = number
        idle += 1
        return number
    }

    private mutating func forget(_ number: Int) {
        numberOf[accounts[number].tenant] = nil
        free.append(number)
        idle -= 1
    }
}
