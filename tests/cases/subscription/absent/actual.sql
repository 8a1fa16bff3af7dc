CREATE SUBSCRIPTION prices CONNECTION 'host=/nowhere password=hidden' PUBLICATION p WITH (connect = false, slot_name = NONE);
