DROP ROLE IF EXISTS case_named_app, case_named_readers, "case_named ""Ops"" $1";
