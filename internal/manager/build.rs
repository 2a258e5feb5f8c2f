//! Sees to it that a release has the web app as it is now. The files are compiled in, but the compiler only notices
//! changes of those it knows: not that an app was built after a first release without one.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // Debug builds read the files when they are asked for.
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo:rerun-if-changed=../../web/app/dist");
    }
}
