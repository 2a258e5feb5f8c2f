//! The document that announcements point to, for programs that browse the network and show what they find.

use crate::Service;

/// What the document says about the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// What people see.
    pub friendly_name: String,
    /// Who makes it.
    pub manufacturer: String,
    /// Their web site.
    pub manufacturer_url: String,
    /// What it is, in a sentence.
    pub model_description: String,
    /// What it is, in a word.
    pub model_name: String,
    /// Where to read about it.
    pub model_url: String,
}

impl Description {
    /// The XML document.
    #[must_use]
    pub fn to_xml(&self, service: &Service) -> String {
        let device = [
            ("deviceType", service.service_type.to_owned()),
            ("friendlyName", escape(&self.friendly_name)),
            ("manufacturer", escape(&self.manufacturer)),
            ("manufacturerURL", escape(&self.manufacturer_url)),
            ("modelDescription", escape(&self.model_description)),
            ("modelName", escape(&self.model_name)),
            ("modelURL", escape(&self.model_url)),
            ("UDN", format!("uuid:{}", service.device)),
            ("serviceList", String::new()),
            ("presentationURL", "/".to_owned()),
        ];
        let device: String =
            device.iter().map(|(name, text)| format!("    <{name}>{text}</{name}>\n")).collect();
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<root xmlns=\"urn:schemas-upnp-org:device-1-0\">\n  \
             <specVersion>\n    <major>1</major>\n    <minor>0</minor>\n  </specVersion>\n  <URLBase>/</URLBase>\n  \
             <device>\n{device}  </device>\n</root>\n"
        )
    }
}

/// Text that can stand between two tags. Leaves out characters that XML cannot hold.
fn escape(text: &str) -> String {
    let allowed = |c: &char| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}');
    text.chars()
        .filter(allowed)
        .collect::<String>()
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MANAGER;

    #[test]
    fn names_cannot_break_the_document() {
        let description = Description {
            friendly_name: "Tom & \"Jerry\" <b>\u{0}\u{1b}</b> 3.0".into(),
            manufacturer: "M".into(),
            manufacturer_url: "http://m/?a=1&b=2".into(),
            model_description: "D".into(),
            model_name: "N".into(),
            model_url: "http://m/".into(),
        };
        let xml = description.to_xml(&MANAGER);
        for part in [
            "<root xmlns=\"urn:schemas-upnp-org:device-1-0\">",
            "<friendlyName>Tom &amp; \"Jerry\" &lt;b&gt;&lt;/b&gt; 3.0</friendlyName>",
            "<manufacturerURL>http://m/?a=1&amp;b=2</manufacturerURL>",
            "<deviceType>urn:flamenco:manager:0</deviceType>",
            "<UDN>uuid:aa80bc5f-d0af-46b8-8630-23bd7e80ec4d</UDN>",
            "<serviceList></serviceList>",
            "<URLBase>/</URLBase>",
            "<presentationURL>/</presentationURL>",
        ] {
            assert!(xml.contains(part), "{part} in {xml}");
        }
    }
}
