CREATE SUBSCRIPTION prices CONNECTION 'host=/nowhere password=hidden' PUBLICATION gone, prices WITH (connect = false);
CREATE SUBSCRIPTION without CONNECTION 'host=/nowhere password=hidden' PUBLICATION p WITH (connect = false, slot_name = kept);
