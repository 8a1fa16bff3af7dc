DROP ROLE IF EXISTS case_member, case_group_a, case_group_b, case_group_c;
CREATE ROLE case_group_a;
CREATE ROLE case_group_b;
CREATE ROLE case_group_c;
CREATE ROLE case_member IN ROLE case_group_a, case_group_b;
