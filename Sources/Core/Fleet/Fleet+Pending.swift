extension Fleet {
    func refresh(_ id: EndpointID, models: Bool) async { pollSoon(id, models: models) }
    func noteMissing(model: String, on id: EndpointID) { pollSoon(id, models: true) }
}
