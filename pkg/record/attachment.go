package record

import "github.com/arbridge/arbridge/pkg/store"

// Attachment is the ERP's file of an invoice, for records of the kind document: what was found, where it is kept and as
// which file of the portal it is attached.
type Attachment struct {
	Number   string     `json:"number"` // the ERP's document number
	Name     string     `json:"name"`
	SHA256   string     `json:"sha256"`
	Size     int64      `json:"size"` // bytes
	Modified store.Time `json:"modified,omitzero"`
	Object   string     `json:"object"`             // name in the blob store
	FileID   string     `json:"file_id,omitempty"`  // the portal's, once it has the file
	Replaces string     `json:"replaces,omitempty"` // the portal's id of our earlier file, still attached
	Document string     `json:"document,omitempty"` // the portal's id of the document that has it
}
