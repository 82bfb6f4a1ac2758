fn main() {
    nova_http::serve("/health", recommendation_service::GREETING);
}
